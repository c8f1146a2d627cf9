// A health check on a free port of 127.0.0.1, until standard input ends.
'use strict';
const grpc = require('@grpc/grpc-js');

const raw = (bytes) => bytes;
const serving = Buffer.from([8, 1]);
const health = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  },
};

const server = new grpc.Server();
server.addService(health, { Check: (call, answer) => answer(null, serving) });
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
});
process.stdin.resume().on('end', () => process.exit());
