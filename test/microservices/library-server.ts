import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { TcpProxy } from '@rookery/test-support';
import type { Observable } from 'rxjs';

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
  readonly #server = new Server();
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

  async stop(): Promise<void> {
    this.#server.forceShutdown();
    await this.#proxy?.stop();
  }

  async #listen(credentials: ServerCredentials): Promise<void> {
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
    if (this.beginsResponse) call.sendMetadata(new Metadata());
    if (this.isHanging) {
      call.on('cancelled', () => this.cancelled++);
      return;
    }
    const { failsWith: code } = this;
    const send = (): void =>
      code === undefined
        ? answer(null, { title: this.answer ?? request.title, port: this.port })
        : answer({ code, details: 'as it was told' });
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
