import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, map, Subject } from 'rxjs';
import { IsolatedObservable } from './isolated-observable.js';

describe('IsolatedObservable', () => {
  const source = new Subject<number>();
  const thrown: unknown[] = [];
  const isolated = new IsolatedObservable(source, (error) => thrown.push(error));

  it('logs a subscriber that throws, keeps calling it, and isolates the others', () => {
    const calls: number[] = [];
    isolated.subscribe((value) => {
      calls.push(value);
      throw new Error(`no ${value}`);
    });
    const others: number[] = [];
    isolated.subscribe({ next: (value) => others.push(value) });
    source.next(1);
    source.next(2);
    expect(calls).toEqual([1, 2]);
    expect(others).toEqual([1, 2]);
    expect(thrown.splice(0).map(String)).toEqual(['Error: no 1', 'Error: no 2']);
  });

  it('logs a subscriber that throws later', async () => {
    const before = thrown.length;
    const late = async (): Promise<void> => {
      await Promise.resolve();
      throw new Error('async');
    };
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- what users write all the same
    const subscription = isolated.subscribe(late);
    source.next(1);
    await new Promise((resolve) => setImmediate(resolve));
    subscription.unsubscribe();
    expect(thrown.slice(before).map(String)).toContain('Error: async');
  });

  it('isolates derived observables, operators that throw included', () => {
    const seen: number[] = [];
    isolated.pipe(map((value) => value * 2)).subscribe((value) => {
      seen.push(value);
      throw new Error('at the end');
    });
    isolated
      .pipe(
        map(() => {
          throw new Error('in between');
        }),
      )
      .subscribe();
    const before = thrown.length;
    source.next(3);
    source.next(4);
    expect(seen).toEqual([6, 8]);
    expect(thrown.slice(before).map(String).sort()).toContain('Error: at the end');
    expect(thrown.slice(before).map(String)).toContain('Error: in between');
  });

  it('gives the value to all waiting subscribers, and completes with its source', async () => {
    const first = firstValueFrom(isolated);
    source.next(5);
    expect(await first).toBe(5);
    const seen: number[] = [];
    const subscription = isolated.subscribe((value) => seen.push(value));
    source.next(6);
    subscription.unsubscribe();
    source.next(7);
    expect(seen).toEqual([6]);
  });
});
