import { aclCases as aclRightCases } from './acl.cases.js';
import { aclRecordCases } from './acl-record.cases.js';
import { agentCases } from './agent.cases.js';
import { blockingCases } from './blocking.cases.js';
import { checkCases } from './check.cases.js';
import { cliAclCases, cliCases } from './cli.cases.js';
import { connectCases } from './connect.cases.js';
import { kvCases } from './kv.cases.js';
import { nearCases } from './near.cases.js';
import { optionCases } from './option.cases.js';
import { probeCases } from './probe.cases.js';
import { queryTemplateCases } from './query-template.cases.js';
import { readCases } from './read.cases.js';
import { registrationCases } from './registration.cases.js';
import { routeCases } from './route.cases.js';
import { sessionCases } from './session.cases.js';
import { txnCatalogCases } from './txn-catalog.cases.js';

export { slowCases } from './slow.cases.js';
export const openCases = [
  ...routeCases,
  ...agentCases,
  ...registrationCases,
  ...checkCases,
  ...readCases,
  ...nearCases,
  ...connectCases,
  ...optionCases,
  ...kvCases,
  ...txnCatalogCases,
  ...cliCases,
  ...sessionCases,
  ...queryTemplateCases,
  ...blockingCases,
  ...probeCases,
];
export const aclCases = [...aclRightCases, ...aclRecordCases, ...cliAclCases];
