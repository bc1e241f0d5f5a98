import { describe } from '@jest/globals';
import { readPage, shownExamples } from '@rookery/test-support';
// testing.md: supertest
import { Controller, Get, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ConsulModule } from '@rookery/consul';
import { expect, it } from '@jest/globals';
import request from 'supertest';
import type { App } from 'supertest/types.js';

@Controller()
class GreetingController {
  @Get('hello')
  hello() {
    return { message: 'Hello' };
  }
}

@Module({
  imports: [ConsulModule.forRoot({ service: { name: 'greeting' } })],
  controllers: [GreetingController],
})
class AppModule {}

it('greets, without Consul', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app = await module.createNestApplication().init();
  const response = await request(app.getHttpServer() as App)
    .get('/hello')
    .expect(200);
  expect(response.body).toEqual({ message: 'Hello' });
  await app.close();
});
// testing.md: end

describe('the page', () => {
  it.each(shownExamples(import.meta.url))('shows this $name', ({ page, text }) => {
    expect(readPage(page)).toContain(text);
  });
});
