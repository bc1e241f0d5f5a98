// `npm run bench -- config`: what reading a value of the live configuration costs, beside a property of an ordinary provider.
import 'reflect-metadata';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { ConsulModule } from '@rookery/consul';
import { ConfigValue, ConsulConfig, consulConfig } from '@rookery/consul/config';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { median } from '../http/statistics.mjs';

const ROUNDS = 15;

export async function benchConfig() {
  const consul = await EmbeddedConsul.start();
  await fetch(`${consul.url}/v1/kv/config/shop/limits/rate`, { method: 'PUT', body: '7' });
  class Plain {
    rate = 7;
  }
  class Bound {
    rate = 0;
  }
  ConfigValue('limits.rate')(Bound.prototype, 'rate');
  class App {}
  const agent = { url: consul.url };
  Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, load: [consulConfig({ agent, name: 'shop' })] }),
      ConsulModule.forRoot({ agent }),
    ],
    providers: [Plain, Bound],
  })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: false });
  const plain = app.get(Plain);
  const bound = app.get(Bound);
  const live = app.get(ConsulConfig);
  const config = app.get(ConfigService);
  const ways = {
    'a property': reader('provider.rate', plain),
    '@ConfigValue': reader('provider.rate', bound),
    'ConsulConfig.get': reader("provider.get('limits.rate')", live),
    'ConfigService.get': reader("provider.get('limits.rate')", config),
  };
  const rows = measure(ways);
  console.log('\n                     ns a read   of a property');
  for (const { name, ns, ratio } of rows)
    console.log(name.padEnd(20) + String(ns).padStart(10) + String(ratio).padStart(16));
  const folder = fileURLToPath(new URL('../results', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/config.json`, `${JSON.stringify({ rows }, null, 2)}\n`);
  console.log('written: test/bench/results/config.json');
  await app.close();
  await consul.stop();
}

/** Compiled for each way, so that none is optimized for the objects of another. */
function reader(expression, provider) {
  const loop = new Function(
    'provider',
    'reads',
    `let sum = 0; for (let n = 0; n < reads; n++) sum += ${expression}; return sum;`,
  );
  return (reads) => loop(provider, reads);
}

/** In turns, so that what else the machine does meets all of them. */
function measure(ways) {
  const samples = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS + 3; round++) {
    for (const [name, read] of Object.entries(ways)) {
      const reads = name.endsWith('.get') ? 200_000 : 20_000_000;
      const begun = process.hrtime.bigint();
      if (read(reads) !== reads * 7) throw new Error(`${name} is not 7`);
      // The first rounds warm up.
      if (round >= 3) samples[name].push(Number(process.hrtime.bigint() - begun) / reads);
    }
  }
  const property = median(samples['a property']);
  return Object.entries(samples).map(([name, all]) => ({
    name,
    ns: Number(median(all).toFixed(2)),
    ratio: Number((median(all) / property).toFixed(2)),
  }));
}
