import { Injectable, type Type } from '@nestjs/common';
import { INJECTABLE_WATERMARK } from '@nestjs/common/constants';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import * as rookery from '@rookery/consul';
import { ServiceClient } from '@rookery/consul';
import type { HttpService } from '@nestjs/axios';

/** All the classes that an app can inject. */
const injectable = Object.values<unknown>(rookery).filter(
  (exported): exported is Type =>
    typeof exported === 'function' && Reflect.hasMetadata(INJECTABLE_WATERMARK, exported),
);

/** The message of the error with which an app does not start that injects this class, without our module. */
function errorWithout(injected: Type): Promise<string> {
  class Caller {
    constructor(readonly given: unknown) {}
  }
  Injectable()(Caller);
  Reflect.defineMetadata('design:paramtypes', [injected], Caller);
  return messageOf(Test.createTestingModule({ providers: [Caller] }).compile());
}

const messageOf = (starting: Promise<unknown>): Promise<string> =>
  starting.then(
    () => 'it started',
    (error: unknown) => String(error),
  );

describe('ConsulModule that is not imported', () => {
  it('has classes to inject', () => {
    expect(injectable.length).toBeGreaterThanOrEqual(8);
  });

  it.each(injectable.map((each) => [each.name.split(',')[0], each] as const))(
    'is named where %s is injected',
    async (className, injected) => {
      expect(await errorWithout(injected)).toContain(
        `the argument ${className}, provided by ConsulModule or EtcdModule at index`,
      );
    },
  );

  it('is named where a service client is injected', async () => {
    class Caller {
      constructor(@ServiceClient('echo') readonly echo: HttpService) {}
    }
    Injectable()(Caller);
    const message = await messageOf(Test.createTestingModule({ providers: [Caller] }).compile());
    expect(message).toContain('ServiceClient(echo), provided by ConsulModule or EtcdModule');
  });
});
