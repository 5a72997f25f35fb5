// SIGTERM under load: whatever request the server has begun gets its whole answer, and nobody can keep the server from ending.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { parse } from 'node-html-parser';
import { faults, readBackup } from './durability/ledger.mjs';
import { Person } from './durability/person.mjs';
import { crashWorld } from './durability/world.mjs';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';

const PASSWORD = 'correct horse battery staple';
const BOSS = { email: 'boss@acme.example', kind: 'user', password: PASSWORD, memberships: [{ organization: 'acme', roles: ['owner'] }] };
const GRACE_SECONDS = 4;

onEachEngine('stops', (engine) => crashWorld(engine, { users: [BOSS], settings: { shutdown_seconds: GRACE_SECONDS } }), (scenario) => {
  scenario('SIGTERM cuts off no request that was begun, and the server ends with 0 within its grace', async ({ world, engine }) => {
    const node = await world.start();
    // Twenty passwords: their hashes queue for the processors. Eight sign-ins that wait for a slow identity provider.
    const passwords = await Promise.all(Array.from({ length: 20 }, () => beginPassword(world)));
    world.provider.lag = 600;
    const people = Array.from({ length: 8 }, (_, at) => new Person(world, `patient${at}`));
    const callbacks = await Promise.all(people.map((person) => person.depart()));
    const arriving = people.map((person, at) => person.send('GET', callbacks[at]));
    await eventually('the identity provider was asked for every sign-in', () => world.provider.asked >= people.length, { everyMs: 5 });
    const answers = passwords.map((each) => each.finish());

    const begun = performance.now();
    const stopped = node.stop(20_000);
    for (const answer of [...await Promise.all(answers), ...await Promise.all(arriving)]) {
      assert.equal(answer.status, 303);
      assert.match(String(answer.headers['set-cookie']), /provost_session=[^;]/);
    }
    assert.deepEqual(await stopped, { code: 0, signal: null }, node.tail());
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(seconds < GRACE_SECONDS + 3, `${seconds} s`);
    await assert.rejects(fetch(`${world.origin}/healthz`), 'a stopped server takes no request');

    const file = path.join(world.installation.directory, 'stopped.backup');
    await world.installation.cli(['backup', file]);
    const table = readBackup(file);
    assert.deepEqual(faults(table), []);
    assert.equal(table('sessions').length, passwords.length + people.length, engine);
  });

  scenario('connections that say nothing, or half of something, do not keep it from ending', async ({ world }) => {
    const node = await world.installation.serve();
    const port = Number(new URL(world.origin).port);
    const sockets = ['', 'GET /login HT', 'POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nemail='].map((text) => {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      socket.write(text);
      return socket;
    });
    const idle = connect(port, '127.0.0.1').on('error', () => {});
    idle.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(idle, 'data');
    const begun = performance.now();
    assert.deepEqual(await node.stop(20_000), { code: 0, signal: null });
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(seconds < GRACE_SECONDS + 3, `${seconds} s`);
    for (const socket of [...sockets, idle]) socket.destroy();
  });
});

/**
 * Begins a sign-in with a password, and returns when the server has asked for the form (100-continue): then it has begun this
 * request. `finish` sends the form and returns the answer.
 */
async function beginPassword(world) {
  const person = new Person(world, 'boss');
  const page = await person.send('GET', new URL('/login/password', world.origin));
  const hidden = parse(page.text).querySelectorAll('form[action="/login/password"] input[type=hidden]');
  const fields = Object.fromEntries(hidden.map((input) => [input.getAttribute('name'), input.getAttribute('value')]));
  const body = new URLSearchParams({ ...fields, email: person.email, password: PASSWORD }).toString();
  const url = new URL('/login/password', world.origin);
  const request = httpRequest(url, {
    method: 'POST',
    agent: false,
    headers: {
      cookie: person.cookies.header({ url, method: 'POST' }),
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
      'x-forwarded-for': person.address,
      origin: world.origin,
      expect: '100-continue',
    },
  });
  const answer = new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume();
      response.on('close', () => (response.complete ? resolve({ status: response.statusCode, headers: response.headers }) : reject(new Error('incomplete'))));
    });
  });
  request.flushHeaders();
  await Promise.race([once(request, 'continue'), answer]);
  return {
    finish() {
      request.end(body);
      return answer;
    },
  };
}
