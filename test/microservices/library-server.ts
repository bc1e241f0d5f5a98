import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type status,
} from '@grpc/grpc-js';
// The newest version, also where clients are of the oldest one.
import * as newest from '@grpc/grpc-js/build/src/index.js';
import { loadSync } from '@grpc/proto-loader';
import { TcpProxy } from '@rookery/test-support';
import type { Observable } from 'rxjs';

export const { ServerCredentials } = newest;
/** Up to 1.13, @grpc/grpc-js tells a load-balancing policy nothing but the code of a status. */
export const TELLS_TRAILERS = 'getOpaque' in Metadata.prototype;
export const PROTO = fileURLToPath(new URL('./library.proto', import.meta.url));

export interface Query {
  title: string;
}

export interface Found {
  title: string;
  port: number;
}

/** As Nest makes its clients. */
export interface LibraryService {
  find(query: Query, metadata?: Metadata): Observable<Found>;
  follow(query: Query, metadata?: Metadata): Observable<Found>;
  discuss(queries: Observable<Query>, metadata?: Metadata): Observable<Found>;
  collect(queries: Observable<Query>, metadata?: Metadata): Observable<Found>;
}

export const { Library } = (
  loadPackageDefinition(loadSync(PROTO)) as unknown as {
    library: { Library: ServiceClientConstructor };
  }
).library;

/** A gRPC server that says which one it is, behind a proxy that can take its network away. */
export class LibraryServer {
  /** Of its proxy. */
  port = 0;
  /** Of the server itself. */
  directPort = 0;
  calls = 0;
  delayMs = 0;
  /** It answers with this title, in place of the one that it was asked for. */
  answer: string | undefined;
  /** It answers with this status instead. */
  failsWith: status | undefined;
  /** And this text. */
  details = 'as it was told';
  /** It begins each response before it sends or does anything else. */
  beginsResponse = false;
  /** It answers nothing. */
  isHanging = false;
  openStreams = 0;
  /** Calls that it did not answer, until their callers cancelled them. */
  cancelled = 0;
  /** Of the last call. */
  metadata: Readonly<Record<string, unknown>> = {};
  deadline: Date | number = Infinity;
  /** The authority of the certificate of the last caller. */
  callerIssuer: string | undefined;
  readonly #server = new newest.Server();
  #proxy: TcpProxy | undefined;

  static async start(credentials = ServerCredentials.createInsecure()): Promise<LibraryServer> {
    const library = new LibraryServer();
    await library.#listen(credentials);
    return library;
  }

  /** To its proxy. */
  get connections(): number {
    return this.#proxy?.connections ?? 0;
  }

  /** Its connections break without a word, and new ones too. */
  kill(): void {
    this.#proxy?.cut();
  }

  revive(): void {
    this.#proxy?.restore();
  }

  /** Its connections stay open, and nothing passes. */
  silence(): void {
    this.#proxy?.silence();
  }

  /** Its connections end half-way through what it sends next, new ones too. */
  breakOff(): void {
    this.#proxy?.breakOff();
  }

  async stop(): Promise<void> {
    this.#server.forceShutdown();
    await this.#proxy?.stop();
  }

  async #listen(credentials: newest.ServerCredentials): Promise<void> {
    this.#server.addService(Library.service, {
      Find: (call: ServerUnaryCall<Query, Found>, answer: sendUnaryData<Found>) => this.#find(call, answer),
      Follow: (call: ServerWritableStream<Query, Found>) => this.#follow(call),
      Discuss: (call: ServerDuplexStream<Query, Found>) => call.end(),
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.directPort = port;
    this.#proxy = await TcpProxy.start(port);
    this.port = Number(new URL(this.#proxy.url).port);
  }

  #find(call: ServerUnaryCall<Query, Found>, answer: sendUnaryData<Found>): void {
    const { request } = call;
    this.calls++;
    this.metadata = call.metadata.getMap();
    this.deadline = call.getDeadline();
    this.callerIssuer = call.getAuthContext().sslPeerCertificate?.issuer.CN as string | undefined;
    if (this.beginsResponse) call.sendMetadata(new newest.Metadata());
    if (this.isHanging) {
      call.on('cancelled', () => this.cancelled++);
      return;
    }
    const { failsWith: code } = this;
    const send = (): void =>
      code === undefined
        ? answer(null, { title: this.answer ?? request.title, port: this.port })
        : answer({ code, details: this.details });
    if (this.delayMs === 0) send();
    else setTimeout(send, this.delayMs);
  }

  #follow(call: ServerWritableStream<Query, Found>): void {
    this.calls++;
    this.openStreams++;
    call.on('close', () => this.openStreams--);
    call.on('cancelled', () => call.end());
    call.write({ title: call.request.title, port: this.port });
  }
}
