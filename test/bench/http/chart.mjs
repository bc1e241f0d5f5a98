const BAR = 18;
const LABEL = 230;
const WIDTH = 460;
const COLOURS = { rookery: '#0b7285', other: '#adb5bd' };

/** Bars of the throughput relative to plain axios: GET, 64 at once. */
export function chart(rows) {
  const shown = rows
    .filter(
      ({ method, concurrency, impl }) => method === 'GET' && concurrency === 64 && !impl.includes('again'),
    )
    .sort((a, b) => b.ratioToAxios - a.ratioToAxios);
  const most = Math.max(...shown.map(({ ratioToAxios }) => ratioToAxios));
  const bars = shown.map(({ impl, ratioToAxios }, n) => {
    const y = 44 + n * (BAR + 8);
    const width = Math.max(1, (ratioToAxios / most) * WIDTH);
    const colour = impl.startsWith('rookery') ? COLOURS.rookery : COLOURS.other;
    return [
      `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end">${impl}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(0)}" height="${BAR}" fill="${colour}"/>`,
      `<text x="${LABEL + width + 6}" y="${y + 13}">${ratioToAxios.toFixed(1)}</text>`,
    ].join('');
  });
  const height = 54 + shown.length * (BAR + 8);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LABEL + WIDTH + 60} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="12" y="24" font-weight="600">Calls a second, relative to plain axios (GET, 64 at once, one client core)</text>`,
    ...bars,
    '</svg>\n',
  ].join('\n');
}
