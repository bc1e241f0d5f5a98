import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endWithUs, exited } from './child-processes.js';
import { eventually } from './eventually.js';
import { freePorts } from './free-ports.js';
import { tool } from './monitoring.js';

export interface EtcdServerOptions {
  /** Of the tokens of its users, in seconds. Default: 300. */
  tokenTtl?: number;
  /** Tokens that are signed, and not kept by the server; a change of users and roles ends them. Default: false. */
  signedTokens?: boolean;
  /** Certificates for its clients; without them it speaks no TLS. */
  tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly caFile: string;
    /** Its clients must have one that the same authority has signed. */
    readonly client?: { readonly certFile: string; readonly keyFile: string };
  };
}

interface Peers {
  readonly name: string;
  readonly peerPort: number;
  /** Of the whole cluster, as etcd wants it. */
  readonly initialCluster: string;
}

/** A real etcd on loopback. Its ports and its data stay the same over `relaunch()`. */
export class EtcdServer {
  readonly home = mkdtempSync(join(tmpdir(), 'rookery-etcd-'));
  readonly url: string;
  readonly #port: number;
  readonly #peers: Peers;
  readonly #options: EtcdServerOptions;
  #process: ChildProcess | undefined;

  private constructor(port: number, peers: Peers, options: EtcdServerOptions) {
    this.#port = port;
    this.#peers = peers;
    this.#options = options;
    this.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const [server] = await EtcdServer.startMembers(1, options);
    if (!server) throw new Error('no etcd');
    return server;
  }

  /** One that nobody can use: resolves at once. */
  static async startUnchecked(options: EtcdServerOptions): Promise<EtcdServer> {
    const [server] = await EtcdServer.#create(1, options);
    if (!server) throw new Error('no etcd');
    server.launch();
    return server;
  }

  /** The members of one cluster; resolves when it has a leader. */
  static async startMembers(count: number, options: EtcdServerOptions = {}): Promise<readonly EtcdServer[]> {
    const servers = await EtcdServer.#create(count, options);
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    return servers;
  }

  static async #create(count: number, options: EtcdServerOptions): Promise<readonly EtcdServer[]> {
    const ports = await freePorts(2 * count);
    const names = Array.from({ length: count }, (_, n) => `etcd-${n + 1}`);
    const peerPorts = ports.slice(count);
    const initialCluster = names.map((name, n) => `${name}=http://127.0.0.1:${peerPorts[n]}`).join(',');
    return names.map(
      (name, n) =>
        new EtcdServer(ports[n] ?? 0, { name, peerPort: peerPorts[n] ?? 0, initialCluster }, options),
    );
  }

  get port(): number {
    return this.#port;
  }

  get target(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Whether it leads its cluster, by its own account. */
  async isLeader(): Promise<boolean> {
    const [status] = JSON.parse(await this.ctl(['endpoint', 'status', '--write-out', 'json'])) as {
      Status: { header: { member_id: number }; leader: number };
    }[];
    return status?.Status.leader === status?.Status.header.member_id;
  }

  launch(): void {
    const { name, peerPort, initialCluster } = this.#peers;
    const { tls, tokenTtl, signedTokens } = this.#options;
    const peer = `http://127.0.0.1:${peerPort}`;
    const args = [
      ...['--name', name, '--data-dir', join(this.home, 'data'), '--logger', 'zap', '--log-level', 'warn'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', initialCluster, '--initial-cluster-state', 'new'],
      // The defaults, written out: an election takes a second or two.
      ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
      ...(tokenTtl === undefined ? [] : ['--auth-token-ttl', String(tokenTtl)]),
      ...(signedTokens ? ['--auth-token', this.#signing()] : []),
      ...(tls ? ['--cert-file', tls.certFile, '--key-file', tls.keyFile] : []),
      ...(tls?.client ? ['--client-cert-auth', '--trusted-ca-file', tls.caFile] : []),
    ];
    const log = openSync(join(this.home, 'log'), 'a');
    const started = spawn(tool('etcd'), args, { cwd: this.home, stdio: ['ignore', log, log] });
    closeSync(log);
    endWithUs(started);
    this.#process = started;
  }

  /** The same keys at each launch. */
  #signing(): string {
    const [pub, priv] = ['public.pem', 'private.pem'].map((name) => join(this.home, name));
    if (pub && priv && !existsSync(pub)) {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
      writeFileSync(pub, publicKey.export({ type: 'spki', format: 'pem' }));
      writeFileSync(priv, privateKey.export({ type: 'pkcs1', format: 'pem' }));
    }
    return `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=1h`;
  }

  /** Resolves when it answers, and has a leader. */
  async ready(): Promise<void> {
    await eventually(
      async () => {
        if (this.#process?.exitCode !== null) throw new Error(this.log.slice(-2_000));
        return this.ctl(['endpoint', 'health']).then(
          () => true,
          () => false,
        );
      },
      { within: 30_000, every: 50 },
    );
  }

  get log(): string {
    return readFileSync(join(this.home, 'log'), 'utf8');
  }

  /** Runs `etcdctl`, which must succeed. @returns what it printed */
  async ctl(args: readonly string[], { user }: { user?: string } = {}): Promise<string> {
    const { caFile, client } = this.#options.tls ?? {};
    const common = [
      ...['--endpoints', this.url, '--command-timeout', '5s', '--dial-timeout', '2s'],
      ...(user === undefined ? [] : ['--user', user]),
      ...(client ? ['--cert', client.certFile, '--key', client.keyFile] : []),
      ...(caFile === undefined ? [] : ['--cacert', caFile]),
    ];
    const env = { ...process.env, ETCDCTL_API: '3' };
    return (await promisify(execFile)(tool('etcdctl'), [...common, ...args], { env })).stdout;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGCONT');
    this.#process?.kill('SIGKILL');
    if (this.#process) await exited(this.#process);
    this.#process = undefined;
  }

  /** With the same data. */
  async relaunch(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** For a server that has been killed. */
  wipe(): void {
    rmSync(join(this.home, 'data'), { recursive: true, force: true });
  }

  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.home, { recursive: true, force: true });
  }
}
