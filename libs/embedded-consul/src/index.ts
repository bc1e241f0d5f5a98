export { EmbeddedConsul } from './embedded-consul.js';
export type { EmbeddedAclOptions, EmbeddedConsulOptions } from './embedded-consul.js';
export type { EmbeddedData } from './data/load-data.js';
export type { Faults } from './faults/faults.js';
export type { ControllableClock } from './time/controllable-clock.js';
