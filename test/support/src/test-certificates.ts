import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type CertificateName = 'ca' | 'server' | 'server-key' | 'client' | 'client-key';

/** PEM files of an authority, and of certificates that it signed. */
export class TestCertificates {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** A certificate authority, a `server` for the names, 127.0.0.1 and ::1, and a `client`. */
  static create(...names: string[]): Promise<TestCertificates> {
    return TestCertificates.#make(names, {});
  }

  /** As `create`, but that of the server was valid in the year 2020. */
  static createExpired(...names: string[]): Promise<TestCertificates> {
    const [notBeforeDate, notAfterDate] = [new Date('2020-01-01'), new Date('2020-12-31')];
    return TestCertificates.#make(names, { notBeforeDate, notAfterDate });
  }

  static async #make(
    names: readonly string[],
    validity: { notBeforeDate?: Date; notAfterDate?: Date },
  ): Promise<TestCertificates> {
    // Here, since only few tests need it. Authorities of one name are taken for each other.
    const { generate } = await import('selfsigned');
    const common = { keyType: 'ec', algorithm: 'sha256' } as const;
    const authority = await generate([{ name: 'commonName', value: `Test CA ${randomUUID()}` }], {
      ...common,
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, critical: true },
      ],
    });
    const ca = { key: authority.private, cert: authority.cert };
    const server = await generate([{ name: 'commonName', value: names[0] ?? 'localhost' }], {
      ...common,
      ...validity,
      ca,
      extensions: [
        { name: 'extKeyUsage', serverAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            ...names.map((value) => ({ type: 2, value }) as const),
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    });
    const client = await generate([{ name: 'commonName', value: 'client' }], {
      ...common,
      ca,
      extensions: [{ name: 'extKeyUsage', clientAuth: true }],
    });
    const folder = mkdtempSync(join(tmpdir(), 'rookery-certificates-'));
    const files = {
      ca: ca.cert,
      server: server.cert,
      'server-key': server.private,
      client: client.cert,
      'client-key': client.private,
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, `${name}.pem`), content);
    return new TestCertificates(folder);
  }

  file(name: CertificateName): string {
    return join(this.#folder, `${name}.pem`);
  }

  pem(name: CertificateName): string {
    return readFileSync(this.file(name), 'utf8');
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
