// `npm run api`: writes a report of the public names of each entry to libs/*/api. With --check it writes nothing, and fails if
// a committed report differs: a change of the public surface is then seen in review.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

/** [library, entry, the entry's declarations] */
const ENTRIES = [
  ['discovery', 'index', 'dist/index.d.ts'],
  ['discovery', 'client', 'dist/client.d.ts'],
  ['discovery', 'adapter', 'dist/adapter.d.ts'],
  ['discovery', 'config', 'dist/config.d.ts'],
  ['discovery', 'testing', 'dist/testing/index.d.ts'],
  ['consul', 'index', 'dist/index.d.ts'],
  ['consul', 'client', 'dist/client.d.ts'],
  ['consul', 'config', 'dist/config.d.ts'],
  ['consul', 'openfeature', 'dist/openfeature.d.ts'],
  ['embedded-consul', 'index', 'dist/index.d.ts'],
  ['dashboard', 'index', 'dist/index.d.ts'],
  ['etcd', 'index', 'dist/index.d.ts'],
  ['etcd', 'config', 'dist/config.d.ts'],
  ['microservices', 'grpc', 'dist/grpc.d.ts'],
  ['microservices', 'tcp', 'dist/tcp.d.ts'],
];

const isCheck = process.argv.includes('--check');
const base = ExtractorConfig.loadFile(resolve('api-extractor.json'));

for (const [library, entry, declarations] of ENTRIES) {
  const projectFolder = resolve('libs', library);
  // api-extractor creates no folder for its first report.
  if (!isCheck) mkdirSync(resolve(projectFolder, 'api'), { recursive: true });
  const config = ExtractorConfig.prepare({
    configObject: {
      ...base,
      projectFolder,
      mainEntryPointFilePath: resolve(projectFolder, declarations),
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
