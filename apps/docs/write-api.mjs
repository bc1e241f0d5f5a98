// Writes the pages of the API: one for each public name, from the declarations that are built.
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';
import { API_ENTRIES } from './api-entries.mjs';

const LIBS = fileURLToPath(new URL('../../libs/', import.meta.url));
const OUT = fileURLToPath(new URL('./pages/api/', import.meta.url));

const files = API_ENTRIES.map(([, declarations]) => `${LIBS}${declarations}`);
const app = await Application.bootstrapWithPlugins({
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: files,
  tsconfig: fileURLToPath(new URL('./tsconfig.api.json', import.meta.url)),
  // `tsc -b` has checked them.
  skipErrorChecking: true,
  readme: 'none',
  excludePrivate: true,
  disableSources: true,
  hideGenerator: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  entryFileName: 'index',
  out: OUT,
  logLevel: 'Warn',
  treatWarningsAsErrors: true,
});
const project = await app.convert();
if (project === undefined) throw new Error('the declarations cannot be read');
project.name = 'API';
for (const module of project.children ?? []) {
  const entry = API_ENTRIES.find(
    ([, declarations]) => declarations.replace(/(\/index)?\.d\.ts$/, '') === module.name,
  );
  if (entry === undefined) throw new Error(`${module.name} is no entry`);
  [module.name] = entry;
}
await app.generateOutputs(project);
