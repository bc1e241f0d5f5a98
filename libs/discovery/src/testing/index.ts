// Test doubles for applications and for the authors of a registry.
export { InMemoryRegistry } from './in-memory.registry.js';
