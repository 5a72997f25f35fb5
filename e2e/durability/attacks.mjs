// What strangers send to the addresses that are open to everybody: too much, too deep, too slow, or nonsense.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Cut, exchange } from './person.mjs';

const MEGABYTE = 1024 * 1024;
const base64 = (text) => Buffer.from(text).toString('base64');

/** Bodies by name: each is made once, as making them would take the time that sending them should. */
const BODIES = {
  'ten megabytes': `SAMLResponse=${'A'.repeat(10 * MEGABYTE)}`,
  'ten megabytes of fields': 'a=b&'.repeat(2.5 * MEGABYTE),
  'as much as is allowed, of nothing': `SAMLResponse=${'A'.repeat(500 * 1024)}`,
  'deep XML': `SAMLResponse=${encodeURIComponent(base64('<a>'.repeat(100_000)))}`,
  'deep XML that ends': `SAMLResponse=${encodeURIComponent(base64(`${'<a>'.repeat(40_000)}${'</a>'.repeat(40_000)}`))}`,
  'entities': `SAMLResponse=${encodeURIComponent(base64(`<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "${'&a;'.repeat(1000)}">]><r>${'&b;'.repeat(1000)}</r>`))}`,
  'many attributes': `SAMLResponse=${encodeURIComponent(base64(`<r ${Array.from({ length: 20_000 }, (_, at) => `a${at}="x"`).join(' ')}/>`))}`,
  'many namespaces': `SAMLResponse=${encodeURIComponent(base64(manyNamespaces()))}`,
  'a response without a signature': `SAMLResponse=${encodeURIComponent(base64('<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0"/>'))}`,
  'a grant that is none': 'grant_type=authorization_code&code=x&code_verifier=y&client_id=crash-app',
  'a deep assertion of a client': `grant_type=refresh_token&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=${base64('[['.repeat(60_000))}.${base64('{"a":'.repeat(40_000))}.x`,
  'JSON': `${'[['.repeat(100_000)}`,
  'a password guess': 'email=boss%40acme.example&password=guess',
  'percent signs': '%'.repeat(200_000),
  'bytes': randomBytes(100_000),
};

function manyNamespaces() {
  const depth = 400;
  return Array.from({ length: depth }, (_, at) => `<n${at}:e xmlns:n${at}="urn:${at}">`).join('') + Array.from({ length: depth }, (_, at) => `</n${depth - 1 - at}:e>`).join('');
}

const TARGETS = ['/sso/papers/saml/acs', '/sso/acme/oidc/callback', '/oauth2/token', '/oauth2/introspect', '/oauth2/revoke', '/login', '/login/password', '/sso/acme/oidc/backchannel-logout'];

const TYPES = ['application/x-www-form-urlencoded', 'application/json', 'multipart/form-data; boundary=x', 'text/plain'];

/** Sends every body to every address, over and over, until `stage.over`; returns how many answers of each status came. */
export async function flood(world, stage, random, { atOnce }) {
  const statuses = new Map();
  const names = Object.keys(BODIES);
  const pick = (list) => list[Math.floor(random() * list.length)];
  await Promise.all(Array.from({ length: atOnce }, async (_, worker) => {
    for (let shot = 0; !stage.over; shot++) {
      const name = pick(names);
      const body = BODIES[name];
      const url = new URL(pick(TARGETS), world.origin);
      // Each from an address of its own: no limit by address may be what saves us.
      const headers = { 'content-type': random() < 0.8 ? TYPES[0] : pick(TYPES), 'content-length': Buffer.byteLength(body), 'x-forwarded-for': `172.${16 + worker}.${(shot >> 8) & 255}.${shot & 255}` };
      const status = await exchange(url, 'POST', body, headers).then((answer) => answer.status, (error) => {
        // A server may close the door while we are still talking.
        if (error instanceof Cut) return 'closed';
        throw error;
      });
      if (status < 400 || status >= 500) stage.faults.push(`${status} for ${name} at ${url.pathname}`);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }));
  return statuses;
}

const OPENINGS = [
  'GET /login HTTP/1.1\r\nhost: x\r\nx-a: ',
  'POST /sso/papers/saml/acs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 400000\r\n\r\nSAMLResponse=',
  'POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n',
  'POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 400000\r\n\r\nemail=',
  'POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000',
  `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n`,
  `GET / HTTP/1.1\r\nhost: x\r\n${Array.from({ length: 2_000 }, (_, at) => `h${at}: x\r\n`).join('')}`,
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
];

/** Holds connections that never finish their request, one byte at a time; new ones follow those that were closed. */
export async function dribble(world, stage, { atOnce }) {
  const port = Number(new URL(world.origin).port);
  const sockets = new Set();
  let opened = 0;
  while (!stage.over) {
    while (sockets.size < atOnce) {
      const socket = connect(port, '127.0.0.1');
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket)).resume();
      socket.write(OPENINGS[opened++ % OPENINGS.length]);
    }
    for (const socket of sockets) if (socket.writable) socket.write('a');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  for (const socket of sockets) socket.destroy();
  return opened;
}

/** Asks and goes away before the answer, over and over. */
export async function hangUp(world, stage) {
  const port = Number(new URL(world.origin).port);
  let calls = 0;
  while (!stage.over) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const body = BODIES['deep XML that ends'];
    socket.write(`POST /sso/papers/saml/acs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await new Promise((resolve) => setTimeout(resolve, 2 + (calls++ % 20)));
    socket.resetAndDestroy();
  }
  return calls;
}
