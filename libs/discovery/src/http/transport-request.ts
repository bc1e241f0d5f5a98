import type { AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import type { HttpSettings } from '../calling/options/http-options.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { HttpConnections } from './http-connections.js';

/** One attempt of an axios request on one instance. */
export interface TransportRequest {
  readonly config: InternalAxiosRequestConfig;
  readonly instance: ServiceInstance;
  /** Path and query. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly settings: HttpSettings;
  /** Our own headers for the instance. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: HttpConnections;
}

/** Resolves with any status; rejects when there is no complete response. */
export type Transport = (request: TransportRequest) => Promise<AxiosResponse>;
