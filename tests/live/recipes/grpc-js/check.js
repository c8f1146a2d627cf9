// grpc-js as a client: health checks over one channel, one JSON line of what its user saw.
//
// The release is the one installed in the directory named by --library (its `node_modules`). Keeps to what all
// releases know, and encodes the empty health request itself. Leaves out the watching of channel states.
'use strict';

const fs = require('fs');
const { createRequire } = require('module');

function argument(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

const library = argument('library', process.cwd());
const grpc = createRequire(`${fs.realpathSync(library)}/`)('@grpc/grpc-js');
const certificate = argument('tls');
const checks = Number(argument('checks', '2'));
const started = process.hrtime();
const calls = [];
const output = [];

function since() {
  const [seconds, nanoseconds] = process.hrtime(started);
  return Math.round(seconds * 1000 + nanoseconds / 1e6) / 1000;
}

// The name for the certificate is not that for `:authority`.
const options = certificate
  ? { 'grpc.ssl_target_name_override': 'muxbed.test', 'grpc.default_authority': 'muxbed.test' }
  : {};
const credentials = certificate
  ? grpc.credentials.createSsl(fs.readFileSync(certificate))
  : grpc.credentials.createInsecure();
const client = new grpc.Client(argument('address'), credentials, options);
const same = (message) => message;

function finish() {
  client.close();
  console.log(JSON.stringify({ rpcs: calls, output }));
}

function check() {
  const deadline = new Date(Date.now() + 25000);
  client.makeUnaryRequest(
    '/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), new grpc.Metadata(), { deadline },
    (failure) => {
      calls.push({ at_s: since(), error: failure ? `err code=${failure.code} details=${failure.details}` : null });
      if (failure) {
        output.push(`message ${failure.message}`);
      }
      if (failure || calls.length === checks) {
        finish();
      } else {
        setTimeout(check, 20);
      }
    });
}

check();
