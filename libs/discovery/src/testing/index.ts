// Test doubles for applications, and what the author of a registry proves.
export { InMemoryRegistry } from './in-memory.registry.js';
export type { ContractCase, ContractInstance } from './contract-case.js';
export { registryContract } from './registry-contract.js';
export type { RegistryUnderTest } from './registry-contract.js';
export { sourceContract } from './source-contract.js';
export type { SourceUnderTest } from './source-contract.js';
