export { EmbeddedConsul } from './embedded-consul.js';
export type { EmbeddedAclOptions, EmbeddedConsulOptions } from './embedded-consul.js';
export type { Faults } from './faults/faults.js';
export type { ControllableClock } from './time/controllable-clock.js';
