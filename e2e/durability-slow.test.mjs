// Clients that never finish what they begin (Slowloris) lose their connection, and their slowness is no error of ours.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { crashWorld } from './durability/world.mjs';

// Longer than the server's own patience: 15 s for a first request, 30 s for a request with its body.
const PATIENCE_MS = 50_000;

const BEGINNINGS = {
  'a connection that says nothing': '',
  'half of a request line': 'GET /login HT',
  'headers without an end': 'GET /login HTTP/1.1\r\nhost: x\r\nx-a: ',
  'a body that does not come': 'POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\na=',
  'a chunk that does not come': 'POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n\r\n64\r\n',
};

describe('slow clients', () => {
  test('are given up, without a 5xx, while others are served', async (t) => {
    const world = await crashWorld('sqlite');
    try {
      await world.start();
      const ends = await Promise.all(Object.entries(BEGINNINGS).map(([name, text]) => dribble(world, name, text)));
      for (const { name, answer, seconds } of ends) {
        t.diagnostic(`${name}: closed after ${seconds} s, ${answer.split('\r\n')[0] || 'no answer'}`);
        assert.ok(seconds < PATIENCE_MS / 1000, `${name} was never given up`);
        assert.match(answer, /^(HTTP\/1\.1 4\d\d .*)?$/s, name);
      }
      assert.equal((await fetch(`${world.origin}/readyz`)).status, 200);
    } catch (error) {
      t.diagnostic(world.installation.tail());
      throw error;
    } finally {
      await world.stop();
    }
  });
});

/** Says the beginning, then one letter a second, until the server has enough of it. */
function dribble(world, name, beginning) {
  return new Promise((resolve) => {
    const begun = performance.now();
    const socket = connect(Number(new URL(world.origin).port), '127.0.0.1');
    let answer = '';
    const letters = setInterval(() => beginning && socket.writable && socket.write('a'), 1_000);
    const enough = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on('data', (data) => (answer += data)).on('error', () => {}).on('close', () => {
      clearInterval(letters);
      clearTimeout(enough);
      resolve({ name, answer, seconds: Math.round((performance.now() - begun) / 1000) });
    });
    socket.write(beginning);
  });
}
