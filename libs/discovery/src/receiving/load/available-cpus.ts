import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** https://docs.kernel.org/admin-guide/cgroup-v2.html, `cpu.max`: quota and period, or `max`; the same in two files of version 1. */
const QUOTA_FILES = [
  ['/sys/fs/cgroup/cpu.max'],
  ['/sys/fs/cgroup/cpu/cpu.cfs_quota_us', '/sys/fs/cgroup/cpu/cpu.cfs_period_us'],
] as const;

/** How many CPUs this process may use: those of the machine, or the share that its container has. */
export function availableCpus(read = (file: string): string => readFileSync(file, 'utf8')): number {
  const all = availableParallelism();
  for (const files of QUOTA_FILES) {
    const text = readAll(files, read);
    if (text === undefined) continue;
    const [quota = '', period = ''] = text.trim().split(/\s+/);
    const share = Number(quota) / Number(period);
    return share > 0 ? Math.min(all, share) : all;
  }
  return all;
}

/** Undefined: this machine has no such file. */
function readAll(files: readonly string[], read: (file: string) => string): string | undefined {
  try {
    return files.map(read).join(' ');
  } catch {
    return undefined;
  }
}
