// Verifies the sign-in in DIRECTORY over and over for SECONDS and prints one line of JSON, as every peer here does.
// The time is processor time, which other work on the machine disturbs least.
// usage: node verify.mjs DIRECTORY SECONDS
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml';

const [directory, seconds] = process.argv.slice(2);
const read = (name) => readFileSync(path.join(directory, name), 'utf8');
const context = JSON.parse(read('context.json'));
const SAMLResponse = read('response.b64');

const saml = new SAML({
  idpCert: read('idp.pem'),
  idpIssuer: context.identity_provider,
  issuer: context.service_provider,
  audience: context.service_provider,
  callbackUrl: context.acs_url,
  wantAssertionsSigned: true,
  wantAuthnResponseSigned: false,
  validateInResponseTo: ValidateInResponseTo.always,
  // Every round answers the same request, so it must stay open.
  cacheProvider: {
    saveAsync: async () => null,
    getAsync: async (key) => (key === context.request_id ? new Date().toISOString() : null),
    removeAsync: async (key) => key,
  },
});

let subject;
let rounds = 0;
async function verifyFor(milliseconds) {
  rounds = 0;
  const start = performance.now();
  const before = process.cpuUsage();
  do {
    ({ profile: { nameID: subject } } = await saml.validatePostResponseAsync({ SAMLResponse }));
    rounds += 1;
  } while (performance.now() - start < milliseconds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / rounds;
}

await verifyFor(Number(seconds) * 300);
const each = await verifyFor(Number(seconds) * 1000);
const { version } = createRequire(import.meta.url)('@node-saml/node-saml/package.json');
console.log(JSON.stringify({ peer: 'node-saml', version, subject, rounds, milliseconds: each }));
