import { createHmac } from 'node:crypto';
import type { Alert } from '../alert.js';

/** Whose incoming webhook it is. `json`: the alerts as they are. */
export type WebhookFormat = 'slack' | 'dingtalk' | 'feishu' | 'wecom' | 'json';

export interface WebhookMessage {
  readonly body: unknown;
  /** Added to the query of the URL. */
  readonly query?: Readonly<Record<string, string>>;
}

interface Format {
  /** @param secret for services that have messages signed */
  message(alerts: readonly Alert[], secret: string | undefined, now: number): WebhookMessage;
  /** These services answer 200 to what they do not accept. Undefined: it was accepted. */
  refusal(response: string): Refusal | undefined;
}

export interface Refusal {
  readonly reason: string;
  /** It is only too much at the moment, and is to be sent again later. */
  readonly isBusy: boolean;
}

/** In bytes of UTF-8: what they take is a little more. */
const MOST_BYTES = { slack: 35_000, dingtalk: 18_000, feishu: 18_000, wecom: 3_800 } as const;

export const FORMATS: Readonly<Record<WebhookFormat, Format>> = {
  slack: {
    message: (alerts) => ({
      body: {
        text: text(alerts, { bold: (title) => `*${title}*`, escape: escapeSlack, most: MOST_BYTES.slack }),
      },
    }),
    refusal: (response) => (response === 'ok' ? undefined : { reason: response, isBusy: false }),
  },
  dingtalk: {
    message: (alerts, secret, now) => ({
      body: {
        msgtype: 'markdown',
        markdown: {
          title: title(alerts),
          text: text(alerts, {
            bold: (each) => `**${each}**`,
            escape: escapeMarkdown,
            most: MOST_BYTES.dingtalk,
            newline: '\n\n',
          }),
        },
      },
      ...(secret === undefined
        ? {}
        : { query: { timestamp: String(now), sign: sign(secret, `${now}\n${secret}`) } }),
    }),
    refusal: (response) => errorCode(response, 'errcode', 'errmsg'),
  },
  feishu: {
    message: (alerts, secret, now) => {
      const timestamp = String(Math.floor(now / 1_000));
      return {
        body: {
          // The key is what others sign, and there is nothing to sign.
          ...(secret === undefined ? {} : { timestamp, sign: sign(`${timestamp}\n${secret}`, '') }),
          msg_type: 'text',
          content: {
            text: text(alerts, { bold: (each) => each, escape: (each) => each, most: MOST_BYTES.feishu }),
          },
        },
      };
    },
    refusal: (response) => errorCode(response, 'code', 'msg'),
  },
  wecom: {
    message: (alerts) => ({
      body: {
        msgtype: 'markdown',
        markdown: {
          content: text(alerts, {
            bold: (each) => `**${each}**`,
            escape: escapeMarkdown,
            most: MOST_BYTES.wecom,
          }),
        },
      },
    }),
    refusal: (response) => errorCode(response, 'errcode', 'errmsg'),
  },
  json: {
    message: (alerts) => ({
      body: {
        alerts: alerts.map(({ endsAt, startsAt, ...alert }) => ({
          ...alert,
          status: endsAt === undefined ? 'firing' : 'resolved',
          startsAt: new Date(startsAt).toISOString(),
          ...(endsAt === undefined ? {} : { endsAt: new Date(endsAt).toISOString() }),
        })),
      },
    }),
    refusal: () => undefined,
  },
};

interface TextStyle {
  readonly bold: (text: string) => string;
  readonly escape: (text: string) => string;
  /** Bytes. */
  readonly most: number;
  /** Default: one. */
  readonly newline?: string;
}

/** A paragraph for each alert; as many as there is room for. */
function text(alerts: readonly Alert[], { bold, escape, most, newline = '\n' }: TextStyle): string {
  const paragraphs: string[] = [];
  let bytes = 0;
  for (const alert of alerts) {
    const lines = [bold(escape(heading(alert))), escape(alert.summary)];
    if (alert.endsAt === undefined && alert.description !== undefined) lines.push(escape(alert.description));
    const paragraph = lines.join(newline);
    bytes += Buffer.byteLength(paragraph) + 2 * newline.length;
    if (bytes > most && paragraphs.length > 0) {
      paragraphs.push(`… and ${alerts.length - paragraphs.length} more`);
      break;
    }
    paragraphs.push(bytes > most ? `${shorten(paragraph, most)}…` : paragraph);
  }
  return paragraphs.join(newline + newline);
}

function heading({ endsAt, severity, name }: Alert): string {
  return endsAt === undefined ? `[FIRING] ${severity} ${name}` : `[RESOLVED] ${name}`;
}

function title(alerts: readonly Alert[]): string {
  const [first] = alerts;
  return first ? `${heading(first)}${alerts.length > 1 ? ` and ${alerts.length - 1} more` : ''}` : '';
}

function shorten(paragraph: string, bytes: number): string {
  return Buffer.from(paragraph)
    .subarray(0, bytes)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
}

function escapeSlack(plain: string): string {
  return plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** What comes from names and reasons is no markup. */
function escapeMarkdown(plain: string): string {
  return plain.replace(/[\\`*_[\]<>#]/g, String.raw`\$&`);
}

/** HMAC-SHA256 in base64. */
function sign(key: string, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64');
}

function errorCode(response: string, code: string, message: string): Refusal | undefined {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(response) as Record<string, unknown>;
  } catch {
    return { reason: response, isBusy: false };
  }
  // Feishu had other names for the same.
  const value = parsed[code] ?? parsed.StatusCode;
  if (value === 0) return undefined;
  const text = typeof parsed[message] === 'string' ? parsed[message] : '';
  return {
    reason: `${JSON.stringify(value)} ${text}`,
    isBusy: BUSY_CODES.has(value) || BUSY_WORDS.test(text),
  };
}

/**
 * These services answer 200 to more messages than they take, too. Of WeCom: busy, and too often (45009, 45033). Of DingTalk: too fast (130101), and over the limit
 * of a webhook (90030). Of Feishu: too often (11232, 99991400).
 */
const BUSY_CODES: ReadonlySet<unknown> = new Set([-1, 45_009, 45_033, 130_101, 90_030, 11_232, 99_991_400]);
const BUSY_WORDS = /too fast|too many request|\bfreq|over limit|\bbusy\b/i;
