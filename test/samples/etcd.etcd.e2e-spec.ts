import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdServer } from '@rookery/test-support';
import { runSample } from './sample-run.js';

describe('the sample on etcd', () => {
  let etcd: EtcdServer;
  beforeAll(async () => {
    etcd = await EtcdServer.start();
  });
  afterAll(() => etcd.stop());

  it('does what its page says', async () => {
    await expect(
      runSample('08-etcd', { environment: { ETCDCTL_ENDPOINTS: etcd.url } }),
    ).resolves.toBeUndefined();
  });
});
