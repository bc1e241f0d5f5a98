import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateName, TestCertificates } from './test-certificates.js';

/** Certificates in files that a test replaces one by one, as a tool does that renews them. */
export class CertificateFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'rookery-renewed-'));

  constructor(from: TestCertificates, ...names: readonly CertificateName[]) {
    this.take(from, ...names);
  }

  file(name: CertificateName | 'token'): string {
    return join(this.#folder, `${name}.pem`);
  }

  /** At once: no reader sees a half of it. */
  put(name: CertificateName | 'token', content: string): void {
    const unfinished = join(this.#folder, 'unfinished');
    writeFileSync(unfinished, content);
    renameSync(unfinished, this.file(name));
  }

  take(from: TestCertificates, ...names: readonly CertificateName[]): void {
    for (const name of names) this.put(name, from.pem(name));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
