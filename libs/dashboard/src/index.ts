export { DashboardModule } from './dashboard.module.js';
export type { DashboardAsyncOptions, DashboardOptions, PeerOptions } from './dashboard-options.js';
export type {
  AppIdentity,
  AppState,
  CallFigures,
  InstanceCard,
  RegistrationState,
  ServiceCard,
} from './dashboard-state.js';
