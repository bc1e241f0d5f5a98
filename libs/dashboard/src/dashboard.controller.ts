import type { IncomingMessage } from 'node:http';
import {
  BadRequestException,
  Body,
  Controller,
  ForbiddenException,
  Get,
  Header,
  HttpCode,
  Inject,
  Param,
  Post,
  Req,
  ServiceUnavailableException,
  Sse,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { DiscoveryError } from '@rookery/discovery';
import { PAGE, POLICY } from '#page';
import type { Observable } from 'rxjs';
import { DashboardService, type StreamMessage } from './dashboard.service.js';
import type { AppState } from './dashboard-state.js';

/** A form of another site cannot send it, and neither can a script without this app's consent. */
const OPERATION_HEADER = 'rookery-operation';

interface AdapterRequest extends IncomingMessage {
  readonly raw?: IncomingMessage;
}

class LoopbackGuard implements CanActivate {
  readonly #service: DashboardService;

  constructor(@Inject(DashboardService) service: DashboardService) {
    this.#service = service;
  }

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AdapterRequest>();
    return this.#service.isAllowed(request.raw ?? request);
  }
}

/** The routes of the page at its path, behind its guards. */
export function createController(path: string, guards: readonly (Type<CanActivate> | CanActivate)[]): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(LoopbackGuard, ...guards)
  class DashboardController {
    readonly #service: DashboardService;

    constructor(@Inject(DashboardService) service: DashboardService) {
      this.#service = service;
    }

    @Get()
    @Header('Content-Type', 'text/html; charset=utf-8')
    @Header('Content-Security-Policy', POLICY)
    @Header('X-Content-Type-Options', 'nosniff')
    @Header('Referrer-Policy', 'no-referrer')
    @Header('Cache-Control', 'no-cache')
    page(): string {
      return PAGE;
    }

    @Get('state')
    @Header('Cache-Control', 'no-store')
    state(): AppState {
      return this.#service.state;
    }

    @Sse('stream')
    stream(): Observable<StreamMessage> {
      return this.#service.stream;
    }

    @Get('explain/:service')
    @Header('Cache-Control', 'no-store')
    explain(@Param('service') service: string): object {
      return this.#service.explain(service);
    }

    @Post('operations/:name')
    @HttpCode(200)
    async operate(
      @Req() request: AdapterRequest,
      @Param('name') name: string,
      @Body() body: unknown,
    ): Promise<{ done: boolean }> {
      if (!this.#service.operations)
        throw new ForbiddenException('operations are off: DashboardModule.forRoot({ operations: true })');
      if (request.headers[OPERATION_HEADER] === undefined)
        throw new ForbiddenException(`an operation needs the header ${OPERATION_HEADER}`);
      const given = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
      return { done: await operate(this.#service, name, given).catch(asAnswer) };
    }
  }
  return DashboardController;
}

/** For the other apps of the system, without the guards of people. */
export function createPeerController(path: string): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  class PeerController {
    readonly #service: DashboardService;

    constructor(@Inject(DashboardService) service: DashboardService) {
      this.#service = service;
    }

    @Get('peer')
    @Header('Cache-Control', 'no-store')
    peer(@Req() request: AdapterRequest): AppState {
      if (!this.#service.isPeer(request.raw ?? request)) throw new ForbiddenException();
      return this.#service.state;
    }
  }
  return PeerController;
}

async function operate(
  service: DashboardService,
  name: string,
  body: Record<string, unknown>,
): Promise<boolean> {
  switch (name) {
    case 'maintenance': {
      const { on, reason = 'by the dashboard' } = body;
      if (typeof on !== 'boolean' || typeof reason !== 'string')
        throw new BadRequestException('maintenance takes { on: true | false, reason?: text }');
      await service.setMaintenance(on, reason);
      return true;
    }
    case 'drain':
      service.drain();
      return true;
    case 'register':
      await service.register();
      return true;
    case 'uneject': {
      const { service: of, instance } = body;
      if (typeof of !== 'string' || typeof instance !== 'string')
        throw new BadRequestException('uneject takes { service: name, instance: id }');
      return service.uneject(of, instance);
    }
    default:
      throw new BadRequestException('the operations are maintenance, drain, register and uneject');
  }
}

/** Consul may not answer, or the app may register nothing: the page shows why. */
function asAnswer(error: unknown): never {
  throw error instanceof DiscoveryError ? new ServiceUnavailableException(error.message) : error;
}
