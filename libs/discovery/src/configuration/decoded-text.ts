/** What a part of a URL stands for. A percent sign that encodes nothing, as in a password that was not encoded, stands for itself. */
export function decodedText(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll(/%(?![\da-f]{2})/gi, '%25'));
  } catch {
    // The bytes are no UTF-8.
    return part;
  }
}
