import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { matchesPattern, type EventOf } from './event-pattern.js';
import { eventHandlersOf, OnDiscoveryEvent } from './on-discovery-event.decorator.js';

describe('OnDiscoveryEvent', () => {
  it('knows the type of the events, and what a class inherits', () => {
    class Base {
      @OnDiscoveryEvent('instance.ejected')
      onEjection({ service, durationMs }: EventOf<'instance.ejected'>): string {
        return `${service} ${durationMs}`;
      }

      @OnDiscoveryEvent('lock.*', 'config.changed')
      onMore(event: EventOf<'lock.*' | 'config.changed'>): string {
        return event.type === 'config.changed' ? String(event.version) : event.key;
      }
    }
    class Derived extends Base {
      @OnDiscoveryEvent('circuit.opened')
      override onEjection(): string {
        return '';
      }
    }
    expect(eventHandlersOf(new Base())).toEqual([
      { method: 'onEjection', patterns: ['instance.ejected'] },
      { method: 'onMore', patterns: ['lock.*', 'config.changed'] },
    ]);
    expect(eventHandlersOf(new Derived())).toEqual([
      { method: 'onMore', patterns: ['lock.*', 'config.changed'] },
      { method: 'onEjection', patterns: ['circuit.opened'] },
    ]);
  });

  it('refuses what is no type of event', () => {
    for (const pattern of ['ejected', 'instance.', '*.ejected', 7])
      expect(() => {
        class Wrong {
          @OnDiscoveryEvent(pattern as '*')
          on(): void {
            return;
          }
        }
        return Wrong;
      }).toThrow(/@OnDiscoveryEvent on Wrong.on: .* is no type of event.*'instance\.ejected'/);
  });

  it.each([
    ['instance.ejected', 'instance.ejected', true],
    ['instance.ejected', 'instance.*', true],
    ['instances.ejected', 'instance.*', false],
    ['instance.ejected', '*', true],
    ['instance.ejected', 'instance.unejected', false],
  ])('%s and the pattern %s: %s', (type, pattern, matches) => {
    expect(matchesPattern(type, pattern)).toBe(matches);
  });
});
