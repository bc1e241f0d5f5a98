import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulAgent, eventually, figure, freePorts } from '@rookery/test-support';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');

/** As `nest new` writes it, with a module more. */
const MAIN = `
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule } from '@rookery/consul';

@Controller()
class AppController {
  @Get()
  pid(): string { return String(process.pid); }
  @Get('slow')
  async slow(): Promise<string> { await new Promise((r) => setTimeout(r, 60_000)); return 'late'; }
}

@Module({
  imports: [ConsulModule.forRoot({ service: { name: 'watched' } })],
  controllers: [AppController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
await app.listen(Number(process.env.PORT));
`;

describe('F56 nest start --watch', () => {
  let consul: ConsulAgent;
  let folder: string;
  let nest: ChildProcess | undefined;
  let output = '';

  beforeAll(async () => {
    consul = await ConsulAgent.start();
  });
  afterAll(() => consul.stop());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-watch-'));
    mkdirSync(join(folder, 'src'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const compilerOptions = {
      ...{ target: 'ES2023', module: 'NodeNext', moduleResolution: 'NodeNext', types: ['node'] },
      ...{ experimentalDecorators: true, emitDecoratorMetadata: true, outDir: 'dist', rootDir: 'src' },
      skipLibCheck: true,
    };
    const files = {
      'package.json': { name: 'watched', private: true, type: 'module' },
      'nest-cli.json': { sourceRoot: 'src' },
      'tsconfig.json': { compilerOptions, include: ['src'] },
    };
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder, name), JSON.stringify(content));
    writeFileSync(join(folder, 'src/main.ts'), MAIN);
    output = '';
  });
  afterEach(async () => {
    // The CLI, the shell and the app are one process group.
    if (nest?.pid !== undefined) process.kill(-nest.pid, 'SIGKILL');
    await eventually(() => nest?.exitCode !== null || nest.signalCode !== null);
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['through a shell', []],
    ['without a shell', ['--no-shell']],
  ])(
    'the next process listens at the old port within seconds while callers go on, %s',
    async (_, more) => {
      const [port = 0] = await freePorts(1);
      const { npm_lifecycle_script: __, ...environment } = process.env;
      nest = spawn(process.execPath, [CLI, 'start', '--watch', ...more], {
        cwd: folder,
        detached: true,
        env: { ...environment, PORT: String(port), CONSUL_HTTP_ADDR: consul.url, NO_COLOR: '1' },
      });
      nest.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      nest.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const pidOf = (path = '/'): Promise<number> =>
        new Promise((resolve, reject) => {
          const sent = request({ port, path, host: '127.0.0.1', timeout: 2_000 }, (response) => {
            response.on('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
          });
          sent.on('error', reject).end();
        });
      const first = await eventually(() => pidOf().catch(() => false as const), { within: 50_000 });
      await eventually(() => output.includes('is registered with'), { within: 20_000 });
      // Callers go on calling, one of them for a minute.
      pidOf('/slow').catch(() => undefined);
      const calling = setInterval(() => void pidOf().catch(() => undefined), 50);
      appendFileSync(join(folder, 'src/main.ts'), '\n// saved\n');
      await eventually(() => output.includes('shutting down quickly'), { within: 40_000, every: 10 });
      const signalled = performance.now();
      const second = await eventually(
        async () => {
          const pid = await pidOf().catch(() => first);
          return pid !== first && pid;
        },
        { within: 25_000, every: 20 },
      ).catch((error: unknown) => {
        throw new Error(output.slice(-3_000), { cause: error });
      });
      clearInterval(calling);
      figure(
        'F56',
        `the next process answers ${Math.round(performance.now() - signalled)} ms after the signal`,
      );
      expect(second).not.toBe(first);
      expect(output).not.toContain('EADDRINUSE');
      await eventually(() => output.split('is registered with').length > 2, { within: 20_000 });
    },
    120_000,
  );
});
