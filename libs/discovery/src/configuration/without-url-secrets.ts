/** The scheme is bounded, so that a long text takes linear time. */
const URL_IN_TEXT =
  /\b([a-z][a-z\d+.-]{0,20}:\/\/+)(?:[^\s/?#"'<>]*@)?([^\s?"'<>]*)(\?[^\s"'<>]*?)?(?=[:;,.)]*(?:[\s"'<>]|$))/gi;

/**
 * A text without the user, the password and the query of each URL in it. Everyone who may read the catalog sees the name of a check and its output, and Consul
 * writes the URL of the check into both.
 */
export function withoutUrlSecrets(text: string): string {
  return text.replaceAll(
    URL_IN_TEXT,
    (_, scheme: string, rest: string, query?: string) => `${scheme}${rest}${query === undefined ? '' : '?…'}`,
  );
}
