import { describe, expect, it } from '@jest/globals';
import { isRestartedOnChange, type ParentProcess } from './restart-on-change.js';

describe('whether a process is restarted when a file changes', () => {
  const under = (...ancestors: string[]): boolean => {
    const processes = new Map<number, ParentProcess>();
    ancestors.forEach((commandLine, index) =>
      processes.set(100 + index, { argv: commandLine.split(' '), parentId: 101 + index }),
    );
    return isRestartedOnChange({}, 100, (id) => processes.get(id));
  };

  it.each([
    ['node /app/node_modules/.bin/nest start --watch'],
    ['node node_modules/@nestjs/cli/bin/nest.js start inventory --watch --debug'],
    ['/usr/bin/node /usr/bin/nest start -w'],
    ['node /app/node_modules/.bin/nodemon dist/main.js'],
    ['node /app/node_modules/.bin/tsx watch src/main.ts'],
    ['node --watch dist/main.js'],
  ])('%s', (commandLine) => {
    expect(under(commandLine)).toBe(true);
    expect(under('/bin/sh -c node --enable-source-maps dist/main', commandLine)).toBe(true);
  });

  it.each([
    ['node dist/main.js'],
    ['node /app/node_modules/.bin/nest start'],
    ['npm run start:prod'],
    ['/sbin/init'],
    ['node /srv/nest/watcher.js start'],
    ['bash -c echo nest start --watch'],
    ['node node_modules/jest/bin/jest.js --watch'],
    ['vim nodemon.json'],
    ['node -r nodemon dist/main'],
    ['node /srv/apps/nest.js start --workers 4 -w'],
    ['node node_modules/.bin/nest start -- -w 4'],
  ])('not by %s', (commandLine) => {
    expect(under(commandLine)).toBe(false);
  });

  it('never in production, and also by the script of package.json', () => {
    const script = { npm_lifecycle_script: 'nest start --watch' };
    const none = (): undefined => undefined;
    expect(isRestartedOnChange(script, 1, none)).toBe(true);
    expect(isRestartedOnChange({ npm_lifecycle_script: 'cross-env A=1 nest start --watch' }, 1, none)).toBe(
      true,
    );
    const runs = (npm_lifecycle_script: string): boolean =>
      isRestartedOnChange({ npm_lifecycle_script }, 1, none);
    expect(runs('rimraf dist && nest start --watch')).toBe(true);
    for (const other of [
      'nest build --watch',
      'test "$NODE_ENV" = dev && nest start --watch || node dist/main',
      'nest start && curl -w x localhost',
      'nest start & tailwindcss --watch',
      'npm i -g nodemon && node dist/main',
    ])
      expect(runs(other)).toBe(false);
    expect(isRestartedOnChange({ ...script, NODE_ENV: 'production' }, 1, none)).toBe(false);
    expect(isRestartedOnChange({ WATCH_REPORT_DEPENDENCIES: '1' }, 1, none)).toBe(true);
    expect(isRestartedOnChange({}, 1, none)).toBe(false);
  });

  it('this process, by its real ancestors', () => {
    expect(isRestartedOnChange({})).toBe(false);
  });
});
