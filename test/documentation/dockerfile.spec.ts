import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { validate } from 'dockerfile-utils';

const DOCKERFILE = new URL('../../apps/samples/nest-11-commonjs/Dockerfile', import.meta.url);

describe('the recipe of a container image', () => {
  const text = readFileSync(DOCKERFILE, 'utf8');
  const problemsOf = (dockerfile: string): unknown[] => validate(dockerfile).map(({ message }) => message);

  it('is accepted by a linter', () => {
    expect(problemsOf(text)).toEqual([]);
    expect(problemsOf(text.replace('WORKDIR', 'WORKDIRS'))).not.toEqual([]);
  });

  it('has the app get the signals itself, without rights', () => {
    expect(text).toMatch(/^USER node$/m);
    expect(text).toMatch(/^CMD \["node", "dist\/main\.js"\]$/m);
  });
});
