/**
 * The anchor of a heading, as GitHub makes it: the pages are read there as well.
 *
 * @param {string} heading
 * @returns {string}
 */
export function slugOf(heading) {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}
