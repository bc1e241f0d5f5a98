import { z } from 'zod';
import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import {
  durationSchema,
  invalidConfigError,
  validateOptions,
  type OptionShape,
} from '../../configuration/validate-options.js';
import { errorMessage } from '../../errors/error-message.js';
import { identifyingLabels, type Alert } from '../alert.js';
import { AlertRefused, type AlertSink } from '../alert-sink.js';
import { httpUrl, postJson } from './post-json.js';
import { headersSchema, urlSchema } from './sink-options.js';

export interface AlertmanagerOptions {
  /** Of the server, such as `'http://alertmanager:9093'`; of a cluster all of them, since they share what was sent, and not what fires. */
  url: string | readonly string[];
  /** Such as `{ authorization: 'Bearer …' }`; they are in no log. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** How often an alert that fires is sent again; it ends by itself when it was not for four of these. Default: `'1m'`. */
  repeatEvery?: Duration;
  /** Labels of every alert, such as `{ environment: 'production' }`. Default: none. */
  labels?: Readonly<Record<string, string>>;
}

export const alertmanagerOptionsSchema = z.strictObject(
  {
    url: z.union(
      [urlSchema('http://alertmanager:9093'), z.array(urlSchema('http://alertmanager:9093')).min(1)],
      {
        error: "must be a URL such as 'http://alertmanager:9093', or several",
      },
    ),
    headers: headersSchema.optional(),
    repeatEvery: durationSchema(1_000).optional(),
    labels: z
      .record(z.string(), z.string(), { error: "must be an object such as { environment: 'production' }" })
      .optional(),
  } satisfies OptionShape<AlertmanagerOptions>,
  { error: "must be an object such as { url: 'http://alertmanager:9093' }" },
);

/** Of several servers, how long one may take. */
const EACH_WITHIN_MS = 4_000;
/** Without being sent again for this many intervals, an alert ends. */
const INTERVALS = 4;

/**
 * Sends alerts to Prometheus' Alertmanager, by version 2 of its API: it groups, silences and routes them, and knows those of several replicas by their
 * labels.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` for wrong options
 */
export function alertmanagerSink(options: AlertmanagerOptions): AlertSink {
  const issues = validateOptions(alertmanagerOptionsSchema, options).map((issue) =>
    issue.field.startsWith('url') ? { ...issue, value: '(not shown)' } : issue,
  );
  if (issues.length > 0) throw invalidConfigError('alertmanagerSink', issues);
  const { url, headers, repeatEvery = '1m', labels = {} } = options;
  const urls = (typeof url === 'string' ? [url] : url).map((each) => alertsUrl(each));
  const repeatEveryMs = toMilliseconds(repeatEvery, 'repeatEvery');
  return {
    name: `Alertmanager at ${urls.map(({ host }) => host).join(', ')}`,
    deduplicates: true,
    repeatEveryMs,
    send: async (alerts, signal) => {
      const body = alerts.map((alert) =>
        toAlertmanager(alert, labels, Date.now() + INTERVALS * repeatEveryMs),
      );
      const sending = urls.map((each) =>
        postJson(each, body, {
          ...(headers ? { headers } : {}),
          signal: AbortSignal.any([signal, AbortSignal.timeout(EACH_WITHIN_MS)]),
        }),
      );
      // The others of a cluster hear of the notification from the one that has it, and a frozen one must not hold up the rest.
      const results = await Promise.allSettled(sending);
      const failed = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason as unknown] : [],
      );
      if (failed.length < urls.length) return;
      const message = failed.map(errorMessage).join('; ');
      throw failed.every((error) => error instanceof AlertRefused)
        ? new AlertRefused(message)
        : new Error(message);
    },
  };
}

/** `postableAlert` of Alertmanager's API. */
export function toAlertmanager(
  alert: Alert,
  more: Readonly<Record<string, string>>,
  expiresAt: number,
): object {
  const { name, severity, labels, summary, description, startsAt, endsAt } = alert;
  const all = { ...more, ...identifyingLabels(name, severity, labels) };
  return {
    labels: Object.fromEntries(Object.entries(all).map(([label, value]) => [labelName(label), value])),
    annotations: { summary, ...(description === undefined ? {} : { description }) },
    startsAt: new Date(startsAt).toISOString(),
    // Of a clock that was set back in between it would be refused.
    endsAt: new Date(Math.max(startsAt, endsAt ?? expiresAt)).toISOString(),
  };
}

/** As Prometheus allows it. */
function labelName(name: string): string {
  const allowed = name.replace(/\W/g, '_');
  return /^\d/.test(allowed) ? `_${allowed}` : allowed;
}

/** Below the path of the server; its query, such as a token, is kept. */
function alertsUrl(url: string): URL {
  const parsed = httpUrl(url);
  parsed.pathname = `${parsed.pathname.replace(/\/$/, '')}/api/v2/alerts`;
  return parsed;
}
