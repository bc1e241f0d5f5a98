import type { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import { NamesItsModule } from '../errors/provided-by.js';
import { ServiceCaller } from '../calling/service-caller.js';
import { createServiceAxios } from './service-axios.js';
import { ServiceHttpService } from './service-http.service.js';
import { ServiceSender } from './service-sender.js';
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
    const sender = new ServiceSender(service, options, this.#caller, this.#connections);
    return new ServiceHttpService(createServiceAxios(sender));
  }
}
