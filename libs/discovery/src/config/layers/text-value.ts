/**
 * The value that a text stands for, where one key holds one value: a number, `true`, `false`, `null`, a list or an object in
 * JSON, or a text in quotation marks. A number counts only in the form in which JavaScript prints it, so that `1.10`, `007` and a
 * number with too many digits stay texts. Everything else is the text itself.
 */
export function textValue(text: string): unknown {
  const trimmed = text.trim();
  switch (trimmed) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'null':
      return null;
    default:
  }
  const number = Number(trimmed);
  if (trimmed !== '' && String(number) === trimmed && Number.isFinite(number)) return number;
  if (!/^(\{.*\}|\[.*\]|".*")$/s.test(trimmed)) return text;
  try {
    return JSON.parse(trimmed);
  } catch {
    // A text may look like a list, such as `[INFO] started`.
    return text;
  }
}
