// A gRPC server for `npm run bench -- grpc`, in a process of its own.
import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const proto = fileURLToPath(new URL('../../microservices/library.proto', import.meta.url));
const { library } = loadPackageDefinition(loadSync(proto));
const server = new Server();
server.addService(library.Library.service, {
  Find: ({ request }, answer) => answer(null, { title: request.title, port: 1 }),
  Follow: (call) => call.end(),
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send({ port });
});
process.on('disconnect', () => process.exit());
