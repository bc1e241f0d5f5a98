import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import type { Alert } from '../alert.js';
import { AlertRefused } from '../alert-sink.js';
import { alertmanagerSink, toAlertmanager } from './alertmanager.sink.js';
import { FORMATS } from './webhook-formats.js';
import { webhookSink } from './webhook.sink.js';

const firing: Alert = {
  name: 'RookeryTooFewInstances',
  severity: 'critical',
  labels: { service: 'inventory', 'zone.name': 'a' },
  summary: '"inventory" has 1 healthy instance <b> & *more*',
  description: 'Not healthy: b',
  fingerprint: 'f1',
  startsAt: Date.UTC(2026, 0, 1),
  endsAt: undefined,
};
const resolved: Alert = { ...firing, fingerprint: 'f2', endsAt: Date.UTC(2026, 0, 2) };

describe('the sinks of alerts', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  const start = async (status = 200, answer = 'ok') => {
    const seen: { url: string; headers: IncomingHttpHeaders; body: unknown }[] = [];
    const server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        seen.push({ url: request.url ?? '', headers: request.headers, body: JSON.parse(text) as unknown });
        response.statusCode = status;
        response.end(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
  };
  const { signal } = new AbortController();

  it('Alertmanager gets what version 2 of its API takes, at every address, and needs one of them', async () => {
    const [one, two] = [await start(), await start(500, 'no')];
    const sink = alertmanagerSink({
      url: [`${one.url}/am`, two.url],
      headers: { authorization: 'Bearer s3cret' },
      labels: { environment: 'test' },
    });
    await sink.send([firing, resolved], signal);
    expect(one.seen).toMatchObject([
      { url: '/am/api/v2/alerts', headers: { authorization: 'Bearer s3cret' } },
    ]);
    expect(two.seen).toHaveLength(1);
    expect(one.seen[0]?.body).toMatchObject([
      {
        labels: {
          alertname: 'RookeryTooFewInstances',
          severity: 'critical',
          service: 'inventory',
          zone_name: 'a',
          environment: 'test',
        },
        annotations: { summary: firing.summary, description: 'Not healthy: b' },
        startsAt: '2026-01-01T00:00:00.000Z',
      },
      { endsAt: '2026-01-02T00:00:00.000Z' },
    ]);
    expect(toAlertmanager(firing, {}, Date.UTC(2026, 0, 1, 0, 4))).toMatchObject({
      endsAt: '2026-01-01T00:04:00.000Z',
    });
    const none = alertmanagerSink({ url: two.url });
    await expect(none.send([firing], signal)).rejects.toThrow(/127\.0\.0\.1:\d+ answered 500: no/);
  });

  it('a webhook gets the format of its service', async () => {
    const { url, seen } = await start();
    const path = '/services/T0/B0/s3cret';
    await webhookSink({ url: url + path, format: 'slack' }).send([firing, resolved], signal);
    expect(seen[0]).toMatchObject({
      url: path,
      body: {
        text:
          '*[FIRING] critical RookeryTooFewInstances*\n"inventory" has 1 healthy instance &lt;b&gt; &amp; *more*\nNot healthy: b\n\n' +
          '*[RESOLVED] RookeryTooFewInstances*\n"inventory" has 1 healthy instance &lt;b&gt; &amp; *more*',
      },
    });
    await webhookSink({ url, format: (alerts) => ({ n: alerts.length }), headers: { 'x-a': '1' } }).send(
      [firing],
      signal,
    );
    expect(seen[1]).toMatchObject({ headers: { 'x-a': '1' }, body: { n: 1 } });
    await webhookSink({ url }).send([resolved], signal);
    expect(seen[2]?.body).toMatchObject({
      alerts: [{ status: 'resolved', endsAt: '2026-01-02T00:00:00.000Z' }],
    });
  });

  it('what a format of the application cannot render is refused, as it will be later', async () => {
    const { url, seen } = await start();
    const throwing = webhookSink({
      url,
      format: () => {
        throw new Error('no description');
      },
    });
    await expect(throwing.send([firing], signal)).rejects.toThrow(AlertRefused);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const unwritable = webhookSink({ url, format: () => circular });
    await expect(unwritable.send([firing], signal)).rejects.toThrow(/^format: .*circular/);
    expect(seen).toEqual([]);
  });

  it('DingTalk and Feishu get messages that are signed', () => {
    const now = 1_767_225_600_123;
    const dingtalk = FORMATS.dingtalk.message([firing, resolved], 'SEC1', now);
    expect(dingtalk.query).toEqual({
      timestamp: String(now),
      sign: createHmac('sha256', 'SEC1').update(`${now}\nSEC1`).digest('base64'),
    });
    expect(dingtalk.body).toMatchObject({
      msgtype: 'markdown',
      markdown: { title: '[FIRING] critical RookeryTooFewInstances and 1 more' },
    });
    const feishu = FORMATS.feishu.message([firing], 'SEC2', now).body as Record<string, unknown>;
    expect(feishu).toMatchObject({ msg_type: 'text', timestamp: '1767225600' });
    expect(feishu.sign).toBe(createHmac('sha256', '1767225600\nSEC2').update('').digest('base64'));
    expect(FORMATS.feishu.message([firing], undefined, now).body).not.toHaveProperty('sign');
  });

  it('markup in names and reasons is shown as it is', () => {
    const { body } = FORMATS.wecom.message([firing], undefined, 0);
    expect(body).toMatchObject({
      msgtype: 'markdown',
      markdown: { content: expect.stringContaining(String.raw`\*more\*`) },
    });
  });

  it.each(['slack', 'dingtalk', 'feishu', 'wecom'] as const)(
    'a message of %s is as long as it may be',
    (format) => {
      const many = Array.from({ length: 3_000 }, (_, n) => ({
        ...firing,
        fingerprint: `f${n}`,
        summary: `告警 ${n}`,
      }));
      const bytes = Buffer.byteLength(JSON.stringify(FORMATS[format].message(many, undefined, 0).body));
      expect(bytes).toBeLessThan(40_000);
      const { body } = FORMATS.wecom.message(many, undefined, 0) as {
        body: { markdown: { content: string } };
      };
      expect(Buffer.byteLength(body.markdown.content)).toBeLessThanOrEqual(4_096);
      expect(JSON.stringify(FORMATS[format].message(many, undefined, 0))).toMatch(/and \d+ more/);
      const long = FORMATS[format].message([{ ...firing, summary: '告'.repeat(100_000) }], undefined, 0);
      expect(Buffer.byteLength(JSON.stringify(long.body))).toBeLessThan(40_000);
      expect(JSON.stringify(long)).not.toContain('\uFFFD');
    },
  );

  it.each([
    ['dingtalk', '{"errcode":310000,"errmsg":"sign not match"}', '310000 sign not match'],
    ['feishu', '{"code":19021,"msg":"sign match fail"}', '19021 sign match fail'],
    ['wecom', '{"errcode":93000,"errmsg":"invalid webhook url"}', '93000 invalid webhook url'],
    ['wecom', '<html>', '<html>'],
    ['slack', 'invalid_payload', 'invalid_payload'],
  ] as const)('%s says 200 and %s: it was not accepted', async (format, answer, reason) => {
    const { url } = await start(200, answer);
    const secretUrl = `${url}/robot/send?access_token=s3cret`;
    const sending = webhookSink({ url: secretUrl, format }).send([firing], signal);
    await expect(sending).rejects.toThrow(`did not accept it: ${reason}`);
    await expect(sending).rejects.not.toThrow('s3cret');
    for (const [accepting, ok] of [
      ['dingtalk', '{"errcode":0}'],
      ['feishu', '{"StatusCode":0}'],
      ['feishu', '{"code":0}'],
    ] as const)
      expect(FORMATS[accepting].refusal(ok)).toBeUndefined();
  });

  it.each([
    ['wecom', '{"errcode":45009,"errmsg":"api freq out of limit"}'],
    ['dingtalk', '{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}'],
    ['dingtalk', '{"errcode":-1}'],
    ['feishu', '{"code":11232,"msg":"frequency limited"}'],
    ['feishu', '{"code":1,"msg":"too many requests"}'],
  ] as const)('%s says 200 and %s: it is to be sent again', async (format, answer) => {
    const { url } = await start(200, answer);
    const error = await thrownBy(() => webhookSink({ url, format }).send([firing], signal));
    expect(String(error)).toContain('did not accept it');
    expect(error).not.toBeInstanceOf(AlertRefused);
    const { url: wrongUrl } = await start(200, '{"errcode":40058,"code":9499,"msg":"Bad Request"}');
    const wrong = await thrownBy(() => webhookSink({ url: wrongUrl, format }).send([firing], signal));
    expect(wrong).toBeInstanceOf(AlertRefused);
  });

  it.each([
    ['ge%3Aheim', 'ge:heim'],
    ['100%', '100%'],
    ['gr%E9n', 'gr%E9n'],
  ])('sends the user and the password of a URL: %s', async (written, password) => {
    const { url, seen } = await start();
    const target = `${url.replace('//', `//me:${written}@`)}/hook`;
    await webhookSink({ url: target }).send([firing], signal);
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from(`me:${password}`).toString('base64')}`);
    await webhookSink({ url: target, headers: { authorization: 'Bearer b' } }).send([firing], signal);
    expect(seen[1]?.headers.authorization).toBe('Bearer b');
  });

  it('is known by its whole address, which its name and its id do not tell', () => {
    const [one, same, other] = ['a', 'a', 'b'].map((path) =>
      webhookSink({ url: `https://hooks.example/${path}` }),
    );
    expect(one?.name).toBe('json at hooks.example');
    expect([one?.id === same?.id, one?.id === other?.id]).toEqual([true, false]);
    expect(one?.id).toMatch(/^[\w-]{43}$/);
  });

  it('shows no secret that a server repeats', async () => {
    const { url } = await start(404, 'Cannot POST /hooks/s3cr3t?token=t0ken with Bearer b3arer');
    const sink = webhookSink({
      url: `${url}/hooks/s3cr3t?token=t0ken`,
      headers: { authorization: 'Bearer b3arer' },
    });
    const sending = sink.send([firing], signal);
    await expect(sending).rejects.toThrow(/answered 404: Cannot POST/);
    await expect(sending).rejects.not.toThrow(/s3cr3t|t0ken|b3arer/);
  });

  it('refuses wrong options, and shows no secret', () => {
    const wrong = () => webhookSink({ url: 'hooks.example/s3cret', format: 'teams' as never, secret: '' });
    expect(wrong).toThrow(
      /webhookSink: 3 options are wrong[^]*url = \(not shown\)[^]*format = "teams"[^]*secret/,
    );
    expect(wrong).not.toThrow('s3cret');
    expect(() => alertmanagerSink({ url: [], repeatEvery: '1ms' })).toThrow(
      /2 options are wrong[^]*url[^]*repeatEvery/,
    );
  });
});
