import { BEHAVIOUR_CASES } from './behaviour.cases.js';
import type { ContractCase } from './case.js';
import { REQUEST_CASES } from './request.cases.js';
import { RESPONSE_CASES } from './response.cases.js';

export const CASES: readonly ContractCase[] = [...REQUEST_CASES, ...RESPONSE_CASES, ...BEHAVIOUR_CASES];
