import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulAgent, figure, freePorts } from '@rookery/test-support';
import { RestartedApp } from './restarted-app.js';

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
  @Get('pid')
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
  let app: RestartedApp | undefined;

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
  });
  afterEach(async () => {
    await app?.stop();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['through a shell', []],
    ['without a shell', ['--no-shell']],
  ])(
    'the next process listens at the old port within seconds while callers go on, %s',
    async (_, more) => {
      const [port = 0] = await freePorts(1);
      const environment = { ...process.env, PORT: String(port), CONSUL_HTTP_ADDR: consul.url, NO_COLOR: '1' };
      app = new RestartedApp({ cli: CLI, folder, port, more, environment });
      const tookMs = await app.saveUnderLoad();
      figure('F56', `the next process answers ${Math.round(tookMs)} ms after the signal`);
      expect(app.output).not.toContain('EADDRINUSE');
    },
    120_000,
  );
});
