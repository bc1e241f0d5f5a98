/**
 * A text without the user and the password of a URL in it, up to the last `@`: what makes a URL malformed may be an `@` or a `/` of its password. In linear time, since
 * the text may be a peer's.
 */
export function withoutCredentials(text: string, placeholder: string): string {
  const begin = text.indexOf('//') + 2;
  const end = text.lastIndexOf('@');
  return begin < 2 || end < begin ? text : `${text.slice(0, begin)}${placeholder}${text.slice(end)}`;
}
