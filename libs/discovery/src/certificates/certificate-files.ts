import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { Secret } from '../configuration/secret.js';
import { errorMessage } from '../errors/error-message.js';
import type { Clock } from '../timing/clock.js';
import type { Certificates, CertificateSource } from './certificate-source.js';

export interface CertificatePaths {
  readonly caFile?: string | undefined;
  /** A directory of such files. */
  readonly caPath?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface CertificateFilesTools {
  readonly clock: Clock;
  /** Is told once of each problem, while the last certificates stay in use. */
  readonly warn: (message: string) => void;
}

const BLOCK = /-----BEGIN ([^-]+)-----(?:(?!-----BEGIN)[^])*?-----END \1-----/g;
/** Files that are renewed are in use within this time. */
const LOOK_INTERVAL_MS = 1_000;

/**
 * Certificates in PEM files, which are read again when they have changed. A certificate and its key are replaced one after the other: until they
 * fit, and while a file is missing or half written, the last ones stay in use.
 */
export class CertificateFiles implements CertificateSource {
  readonly #paths: CertificatePaths;
  readonly #tools: CertificateFilesTools;
  #certificates: Certificates;
  #seen: string;
  #lookedAt: number;
  #problem: string | undefined;

  /** @throws Error when they cannot be read, or do not fit */
  constructor(paths: CertificatePaths, tools: CertificateFilesTools) {
    this.#paths = paths;
    this.#tools = tools;
    this.#lookedAt = tools.clock.now();
    this.#seen = lookAt(paths);
    this.#certificates = readAll(paths);
  }

  current(): Certificates {
    const now = this.#tools.clock.now();
    if (now - this.#lookedAt >= LOOK_INTERVAL_MS) {
      this.#lookedAt = now;
      this.#look();
    }
    return this.#certificates;
  }

  #look(): void {
    try {
      const seen = lookAt(this.#paths);
      if (seen === this.#seen) return;
      this.#certificates = readAll(this.#paths);
      this.#seen = seen;
      this.#problem = undefined;
    } catch (error) {
      const problem = errorMessage(error);
      if (problem === this.#problem) return;
      this.#problem = problem;
      this.#tools.warn(
        `certificates that were renewed cannot be used, and the last ones stay in use: ${problem}`,
      );
    }
  }
}

/**
 * @returns undefined: no file is named
 * @throws Error when they cannot be read, or do not fit
 */
export function certificateFiles(
  paths: CertificatePaths,
  tools: CertificateFilesTools,
): CertificateFiles | undefined {
  const isAnyNamed = Object.values(paths).some((path) => path !== undefined);
  return isAnyNamed ? new CertificateFiles(paths, tools) : undefined;
}

/** Changes whenever a file does, also where a directory is replaced by way of a symbolic link. */
function lookAt({ caPath, ...files }: CertificatePaths): string {
  const all = [...Object.values(files), ...(caPath === undefined ? [] : filesIn(caPath))];
  return all
    .flatMap((path: string | undefined) => {
      if (path === undefined) return [];
      const { ino, size, mtimeMs } = statSync(path);
      return [`${path} ${ino} ${size} ${mtimeMs}`];
    })
    .join('\n');
}

function readAll({ caFile, caPath, certFile, keyFile }: CertificatePaths): Certificates {
  const authorities = [
    ...(caFile === undefined ? [] : [caFile]),
    ...(caPath === undefined ? [] : filesIn(caPath)),
  ];
  const ca = authorities.length > 0 ? authorities.map(readAuthorities) : undefined;
  const cert = certFile === undefined ? undefined : readPem(certFile);
  const key = keyFile === undefined ? undefined : readPem(keyFile);
  assertFit({ ca, cert, key }, [...authorities, certFile, keyFile]);
  return { ca, cert, key: key === undefined ? undefined : new Secret(key) };
}

/** A TLS context leaves out what it cannot read, and would trust the others only: such as while the file is being written. */
function readAuthorities(path: string): string {
  const content = readPem(path);
  const blocks = content.match(BLOCK) ?? [];
  if (blocks.length !== content.split('-----BEGIN').length - 1) throw new Error(`${path} is not complete`);
  const certificates = blocks.filter((block) => block.startsWith('-----BEGIN CERTIFICATE'));
  if (certificates.length === 0) throw new Error(`${path} has no certificate of an authority`);
  for (const certificate of certificates) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw new Error(`${path} has a certificate that cannot be read: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }
  return content;
}

function assertFit(options: SecureContextOptions, files: readonly (string | undefined)[]): void {
  try {
    createSecureContext(options);
  } catch (error) {
    const named = files.filter((file) => file !== undefined).join(', ');
    throw new Error(`${named} cannot be used together: ${errorMessage(error)}`, { cause: error });
  }
}

/** Kubernetes has further entries there, which begin with two dots. */
function filesIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => join(directory, name));
}

/** @throws Error when it cannot be read, or is something else */
export function readPem(path: string): string {
  const content = readFileSync(path, 'utf8');
  if (content.includes('-----BEGIN')) return content;
  throw new Error(`${path} is no PEM file`);
}
