import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { LoadShedder } from './load-shedder.js';
import { shareOf, urgencyOfHeader } from './urgency.js';

class Server {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly shedder: LoadShedder;
  #endTurn: (() => void) | undefined;

  constructor(concurrency: number | 'adaptive') {
    this.shedder = new LoadShedder({
      ...{ clock: this.clock, concurrency },
      afterTurn: (callback) => (this.#endTurn = callback),
      onBegin: (limit) => this.told.push(`began at ${limit}`),
      onEnd: (refused) => this.told.push(`ended after ${refused}`),
    });
  }

  /** @returns how many of the requests are admitted in one turn of the event loop, each answered at once, which takes this long */
  async turn(requests: number, milliseconds: number, urgency = 3, timeoutMs = Infinity): Promise<number> {
    let admitted = 0;
    for (let n = 0; n < requests; n++) {
      const answered = this.shedder.admit(urgency, timeoutMs);
      if (!answered) continue;
      admitted++;
      await this.clock.advance(milliseconds);
      answered();
      answered();
    }
    this.endTurn();
    return admitted;
  }

  endTurn(): void {
    const callback = this.#endTurn;
    this.#endTurn = undefined;
    callback?.();
  }
}

describe('LoadShedder', () => {
  it('takes as many requests as the limit, until one is answered', () => {
    const { shedder } = new Server(2);
    const first = shedder.admit(3, Infinity);
    expect(first).toBeDefined();
    expect(shedder.admit(3, Infinity)).toBeDefined();
    expect(shedder.admit(3, Infinity)).toBeUndefined();
    expect(shedder.underWay).toBe(2);
  });

  it('counts those that are answered at once until the end of the turn: they waited for each other', async () => {
    const server = new Server(5);
    expect(await server.turn(8, 0)).toBe(5);
    expect(server.shedder.underWay).toBe(0);
    expect(await server.turn(8, 0)).toBe(5);
  });

  it('takes more of the urgent ones, and fewer of the others', async () => {
    const server = new Server(10);
    const admitted: number[] = [];
    for (const urgency of [0, 1, 2, 3, 4, 5, 6, 7]) admitted.push(await server.turn(20, 0, urgency));
    expect(admitted).toEqual([13, 12, 11, 10, 8, 6, 4, 2]);
    // Whatever the limit, there is room for one.
    expect(await new Server(1).turn(2, 0, 7)).toBe(1);
  });

  it('takes any burst, and begins to refuse when turns have been long for a tenth of a second', async () => {
    const server = new Server('adaptive');
    expect(await server.turn(300, 0.3)).toBe(300);
    expect(await server.turn(10, 2)).toBe(10);
    // It has been 110 ms.
    expect(await server.turn(40, 2)).toBeLessThan(40);
    await server.clock.advance(100);
    expect(await server.turn(40, 0.1)).toBe(40);
    expect(await server.turn(40, 2)).toBe(40);
  });

  it('lowers its limit while turns take long, and raises it while they do not, if it is needed', async () => {
    const server = new Server('adaptive');
    const before = server.shedder.limit;
    for (let n = 0; n < 200; n++) await server.turn(40, 0.1);
    expect(server.shedder.limit).toBeGreaterThan(before);
    for (let n = 0; n < 200; n++) await server.turn(400, 5);
    expect(server.shedder.limit).toBe(10);
    for (let n = 0; n < 200; n++) await server.turn(40, 0.1);
    expect(server.shedder.limit).toBeGreaterThan(before);
  });

  it('refuses at once a request whose caller will have given up, by how long the last turn took', async () => {
    const server = new Server(100);
    await server.turn(10, 20);
    expect(server.shedder.admit(3, 200)).toBeUndefined();
    expect(server.shedder.admit(3, 201)).toBeDefined();
    server.endTurn();
    // An old delay says nothing.
    await server.turn(10, 20);
    await server.clock.advance(1_000);
    expect(server.shedder.admit(3, 1)).toBeDefined();
  });

  it('tells when it begins to refuse, and when it has stopped for five seconds', async () => {
    const server = new Server(1);
    await server.turn(3, 0);
    await server.turn(3, 0);
    expect(server.told).toEqual(['began at 1']);
    await server.clock.advance(5_000);
    expect(server.told).toEqual(['began at 1', 'ended after 4']);
    server.shedder.close();
    expect(server.clock.pending).toBe(0);
  });
});

describe('urgency', () => {
  const of = (priority: string | undefined, name = 'priority'): number =>
    urgencyOfHeader(name)({ headers: { priority } } as unknown as IncomingMessage);

  it.each([
    ['u=5', 5],
    ['u=0, i', 0],
    ['i, u=7', 7],
    ['2', 2],
    ['i', 3],
    [undefined, 3],
    ['u=9', 3],
    ['u=-1', 3],
    ['55', 3],
    ['x=5', 3],
  ])('of %p is %d', (value, urgency) => {
    expect(of(value)).toBe(urgency);
    expect(of(value, 'Priority')).toBe(urgency);
  });

  it('that is no number counts as the default, and one beyond the scale as its end', () => {
    expect(shareOf(NaN)).toBe(1);
    expect(shareOf(-5)).toBe(1);
    expect(shareOf(100)).toBeCloseTo(0.2);
  });
});
