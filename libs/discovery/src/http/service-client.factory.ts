import { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import axios from 'axios';
import { NamesItsModule } from '../errors/provided-by.js';
import { ServiceCaller } from '../calling/service-caller.js';
import { createBalancedAdapter } from './balanced.adapter.js';
import { HttpConnections } from './http-connections.js';
import type { ServiceClientOptions } from './service-client.options.js';

/** Creates an `HttpService` whose relative URLs go to the instances of one service. */
@Injectable()
@NamesItsModule()
export class ServiceClientFactory {
  readonly #caller: ServiceCaller;
  readonly #connections: HttpConnections;

  constructor(caller: ServiceCaller, connections: HttpConnections) {
    this.#caller = caller;
    this.#connections = connections;
  }

  create(service: string, options: ServiceClientOptions = {}): HttpService {
    const adapter = createBalancedAdapter(service, options, this.#caller, this.#connections);
    return new HttpService(axios.create({ adapter }));
  }
}
