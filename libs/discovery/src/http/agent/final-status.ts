import { maxHeaderSize } from 'node:http';

/** `HTTP/1.1 503`. */
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})/;
const STATUS_LINE_LENGTH = 12;
const HEAD_END = '\r\n\r\n';
const SWITCHING_PROTOCOLS = 101;

/** Reads the status of a response, which comes after those that are provisional (RFC 9110, 15.2), such as `100 Continue`. */
export class FinalStatus {
  #head = '';

  /** @returns undefined: it has not come yet; 0: this is no response */
  read(chunk: Buffer): number | undefined {
    this.#head += chunk.toString('latin1');
    while (this.#head.length >= STATUS_LINE_LENGTH) {
      const status = Number(STATUS_LINE.exec(this.#head)?.[1] ?? 0);
      const isProvisional = status >= 100 && status < 200 && status !== SWITCHING_PROTOCOLS;
      if (!isProvisional) return status;
      const end = this.#head.indexOf(HEAD_END);
      if (end < 0) return this.#head.length > maxHeaderSize ? 0 : undefined;
      this.#head = this.#head.slice(end + HEAD_END.length);
    }
    return undefined;
  }
}
