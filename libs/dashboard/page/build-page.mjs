// Makes the page one file, and a module of it: `npm run build`, `npm start`.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '../dist');

const { outputFiles } = await build({
  entryPoints: [join(here, 'main.ts')],
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome111', 'firefox115', 'safari16.4'],
  outdir: out,
  write: false,
  legalComments: 'inline',
  loader: { '.css': 'css' },
});
const content = (extension) => outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? '';
// An end tag in a text would end the script.
const script = content('.js').replaceAll('</script', '<\\/script');
const style = content('.css');
const hashOf = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  // What JavaScript sets on an element is no style of the document.
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Rookery</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6' fill='%232a7'/%3E%3C/svg%3E">
<style>${style}</style>
</head>
<body>
<div id="app"><noscript>This page needs JavaScript; the same is at the path of the endpoint, /discovery, as JSON.</noscript></div>
<script>${script}</script>
</body>
</html>
`;
mkdirSync(join(out, 'cjs'), { recursive: true });
const [text, csp] = [page, policy].map((each) => JSON.stringify(each));
writeFileSync(join(out, 'page.js'), `export const PAGE = ${text};\nexport const POLICY = ${csp};\n`);
writeFileSync(join(out, 'cjs/page.js'), `"use strict";\nexports.PAGE = ${text};\nexports.POLICY = ${csp};\n`);
