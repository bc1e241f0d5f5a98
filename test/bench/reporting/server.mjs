// The apps of `npm run bench -- reporting`, in one process, so that they differ in nothing else.
import { rookery, startApp } from '../nest-app.mjs';

const book = () => ({ title: 'Dune' });

process.send({
  plain: await startApp('book', book, []),
  none: await startApp('book', book, [rookery({ loadReports: 'none' })]),
  private: await startApp('book', book, [rookery()]),
});
// Asked before and after each round.
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuUs: user + system });
});
