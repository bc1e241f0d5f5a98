import { createHash } from 'node:crypto';
import { z } from 'zod';
import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import {
  durationSchema,
  invalidConfigError,
  nonEmptyString,
  validateOptions,
  type OptionShape,
} from '../../configuration/validate-options.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import type { Alert } from '../alert.js';
import { AlertRefused, type AlertSink } from '../alert-sink.js';
import { httpUrl, oneLine, postJson } from './post-json.js';
import { headersSchema, urlSchema } from './sink-options.js';
import { FORMATS, type WebhookFormat, type WebhookMessage } from './webhook-formats.js';

export interface WebhookOptions {
  /** It is in no log and in no error, since its path is a secret. */
  url: string;
  /** Default: `'json'`. */
  format?: WebhookFormat | ((alerts: readonly Alert[]) => unknown);
  /** Of DingTalk and Feishu, where messages are to be signed. Default: none. */
  secret?: string;
  /** Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** After this time alerts that still fire are sent again. Default: `'4h'`. */
  repeatEvery?: Duration;
}

const NAMES = Object.keys(FORMATS) as WebhookFormat[];

export const webhookOptionsSchema = z.strictObject(
  {
    url: urlSchema('https://hooks.slack.com/services/…'),
    format: z
      .union(
        [
          z.enum(NAMES),
          z.custom<(alerts: readonly Alert[]) => unknown>((value) => typeof value === 'function'),
        ],
        {
          error:
            "must be 'slack', 'dingtalk', 'feishu', 'wecom' or 'json', or a function that returns the body",
        },
      )
      .optional(),
    secret: nonEmptyString('must be the secret that the service gave you').optional(),
    headers: headersSchema.optional(),
    repeatEvery: durationSchema(1_000, 7 * 24 * 3_600_000).optional(),
  } satisfies OptionShape<WebhookOptions>,
  { error: "must be an object such as { url: 'https://…', format: 'slack' }" },
);

/**
 * Posts alerts to a webhook: those of a few seconds in one message. Of several replicas that see the same, one sends.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` for wrong options
 */
export function webhookSink(options: WebhookOptions): AlertSink {
  const issues = validateOptions(webhookOptionsSchema, options).map((issue) => ({
    ...issue,
    ...(issue.field === 'url' || issue.field === 'secret' ? { value: '(not shown)' } : {}),
  }));
  if (issues.length > 0) throw invalidConfigError('webhookSink', issues);
  const { format = 'json', secret, headers, repeatEvery = '4h' } = options;
  const url = httpUrl(options.url);
  return {
    id: createHash('sha256').update(url.href).digest('base64url'),
    name: `${typeof format === 'string' ? format : 'webhook'} at ${url.host}`,
    deduplicates: false,
    repeatEveryMs: toMilliseconds(repeatEvery, 'repeatEvery'),
    send: async (alerts, signal) => {
      const { body, query = {} } = rendered(format, alerts, secret);
      const target = new URL(url);
      for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
      const response = await postJson(target, body, { ...(headers ? { headers } : {}), signal });
      const refusal = typeof format === 'string' ? FORMATS[format].refusal(response) : undefined;
      if (!refusal) return;
      const text = `${url.host} did not accept it: ${oneLine(refusal.reason)}`;
      throw refusal.isBusy ? new DiscoveryError('RK_CALL_FAILED', text) : new AlertRefused(text);
    },
  };
}

/** What cannot be rendered is refused, so that it is dropped alone: it will not be rendered later either. */
function rendered(...of: Parameters<typeof message>): WebhookMessage {
  try {
    const rendering = message(...of);
    // As it is sent: a body may have what JSON has not.
    JSON.stringify(rendering.body);
    return rendering;
  } catch (error) {
    throw new AlertRefused(`format: ${errorMessage(error)}`);
  }
}

function message(
  format: NonNullable<WebhookOptions['format']>,
  alerts: readonly Alert[],
  secret: string | undefined,
): WebhookMessage {
  return typeof format === 'string'
    ? FORMATS[format].message(alerts, secret, Date.now())
    : { body: format(alerts) };
}
