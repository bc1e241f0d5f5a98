import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { eventually, wholeAppOf } from '@rookery/test-support';
import { follow, runSample, sampleNames, stepsOf } from './sample-run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Those that need another registry have a suite of their own; and one is a test itself. */
const ELSEWHERE = ['08-etcd', '09-connect', '10-testing'];

describe('the samples, as their pages say', () => {
  let consul: EmbeddedConsul;
  beforeEach(async () => {
    consul = await EmbeddedConsul.start();
  });
  afterEach(() => consul.stop());

  it.each(sampleNames.filter((name) => !ELSEWHERE.includes(name)))('%s', async (sample) => {
    await runSample(sample, { consulUrl: consul.url });
    const services = async (): Promise<unknown> => (await fetch(`${consul.url}/v1/agent/services`)).json();
    expect(await eventually(services)).toEqual({});
  });

  it('are each on the list, and on their own page', () => {
    const list = readFileSync(`${ROOT}apps/samples/README.md`, 'utf8');
    expect(sampleNames.filter((name) => !list.includes(`src/${name}/README.md`))).toEqual([]);
    expect(sampleNames).toHaveLength(10);
  });

  it('begin with the app of the README', () => {
    const app = wholeAppOf('README.md');
    for (const path of ['src/01-quick-start', 'nest-11-commonjs/src'])
      expect(readFileSync(`${ROOT}apps/samples/${path}/main.ts`, 'utf8')).toBe(app);
  });

  it('would fail where an app answers something else', async () => {
    const [step] = stepsOf('curl http://127.0.0.1:8500/v1/agent/services  # "Service":"greeting"\n');
    if (!step) throw new Error('there is no step');
    const origins = { app: consul.url, consul: consul.url };
    await expect(follow(step, origins, 100)).rejects.toThrow('did not answer "Service":"greeting"');
    await expect(follow({ ...step, answer: '{}' }, origins, 100)).resolves.toBeUndefined();
  });

  it('are read from their pages', () => {
    const page =
      '```sh\ncurl -X PUT -d 200 http://127.0.0.1:8500/v1/kv/a  # true\ncurl http://127.0.0.1:3000/b\n```';
    expect(stepsOf(page)).toEqual([
      { method: 'PUT', url: 'http://127.0.0.1:8500/v1/kv/a', body: '200', answer: 'true' },
      { method: 'GET', url: 'http://127.0.0.1:3000/b', body: undefined, answer: undefined },
    ]);
  });
});
