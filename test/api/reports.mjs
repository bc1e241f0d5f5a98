// `npm run api`: writes a report of the public names of each entry to libs/*/api. With --check it writes nothing, and fails if
// a committed report differs: a change of the public surface is then seen in review.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { API_ENTRIES } from '../../apps/docs/api-entries.mjs';

const isCheck = process.argv.includes('--check');
const base = ExtractorConfig.loadFile(resolve('api-extractor.json'));

for (const [name, declarations] of API_ENTRIES) {
  const [, library, entry = 'index'] = name.split('/');
  const projectFolder = resolve('libs', library);
  // api-extractor creates no folder for its first report.
  if (!isCheck) mkdirSync(resolve(projectFolder, 'api'), { recursive: true });
  const config = ExtractorConfig.prepare({
    configObject: {
      ...base,
      projectFolder,
      mainEntryPointFilePath: resolve('libs', declarations),
      apiReport: { ...base.apiReport, reportFileName: `${entry}.api.md` },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: resolve(projectFolder, 'package.json'),
  });
  const { apiReportChanged, errorCount } = Extractor.invoke(config, {
    localBuild: !isCheck,
    showVerboseMessages: false,
    messageCallback: (message) => {
      if (message.logLevel === 'info' || message.logLevel === 'verbose') message.handled = true;
      // The lines below say it in our words.
      if (message.messageId.startsWith('console-api-report')) message.handled = true;
    },
  });
  const report = `libs/${library}/api/${entry}.api.md`;
  if (errorCount > 0) process.exitCode = 1;
  if (!apiReportChanged) console.log(`unchanged  ${report}`);
  else if (!isCheck) console.log(`written    ${report}`);
  else {
    console.error(`DIFFERS    ${report}: run \`npm run api\`, read the diff, and commit it`);
    process.exitCode = 1;
  }
}
