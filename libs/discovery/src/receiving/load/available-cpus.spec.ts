import { availableParallelism } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { availableCpus } from './available-cpus.js';

describe('availableCpus', () => {
  const all = availableParallelism();
  const reading = (files: Record<string, string>) => (file: string) => {
    const text = files[file];
    if (text === undefined) throw new Error('ENOENT');
    return text;
  };

  it.each([
    ['a share of one', { '/sys/fs/cgroup/cpu.max': '50000 100000\n' }, 0.5],
    ['more than the machine has', { '/sys/fs/cgroup/cpu.max': '99900000 100000\n' }, all],
    ['no limit', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, all],
    [
      'cgroups of version 1',
      {
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '25000\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
      0.25,
    ],
    [
      'version 1 without a limit',
      { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
      all,
    ],
    ['no cgroups', {}, all],
  ])('%s', (_, files, cpus) => {
    expect(availableCpus(reading(files))).toBe(cpus);
  });
});
