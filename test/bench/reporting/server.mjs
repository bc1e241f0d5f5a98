// The apps of `npm run bench -- reporting`, in one process, so that they differ in little else.
import { rookery, startApp } from '../nest-app.mjs';

const IMPORTS = {
  plain: () => [],
  none: () => [rookery({ loadReports: 'none' })],
  private: () => [rookery()],
};
const book = () => ({ title: 'Dune' });

const names = Object.keys(IMPORTS);
const first = Number(process.argv[2]) % names.length;
const ports = {};
for (const name of [...names.slice(first), ...names.slice(0, first)])
  ports[name] = await startApp('book', book, IMPORTS[name]());
process.send(ports);
// Asked before and after each round.
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuUs: user + system });
});
