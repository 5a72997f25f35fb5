// `provost scim check`, the walk for support: through Provost nothing is found, through a server with known gaps these are.
import assert from 'node:assert/strict';
import { exchange } from './lib/exchanges.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { startScim2Server } from './partners/scim-suites.mjs';
import { scimWorld } from './worlds/scim.mjs';

async function checkWorld(engine) {
  const peer = await startScim2Server({ token: 'peer-token-0123456789abcdef' });
  const world = await scimWorld(engine, ['checked']);
  return { ...world, peer, stop: async () => { await world.stop(); await peer.stop(); } };
}

async function walk(world, { base, token }, ...flags) {
  const { code, stdout } = await world.installation.cli(['scim', 'check', base, '--token-file', '-', '--json', ...flags], { input: `${token}\n`, expect: null });
  const report = JSON.parse(stdout);
  return { code, report, not: (verdict) => report.checks.filter((check) => check.verdict !== verdict) };
}

async function people({ base, token }) {
  const { json } = await exchange(base, 'GET', '/Users', undefined, { authorization: `Bearer ${token}` });
  return json.totalResults;
}

onEachEngine('SCIM check', checkWorld, (scenario) => {
  scenario('r79 a walk through Provost passes every check and leaves nothing behind', async ({ world }) => {
    const endpoint = world.endpoint('checked');
    const { code, report, not } = await walk(world, endpoint, '--domain', 'checked.example');
    assert.deepEqual(not('passed'), []);
    assert.equal(code, 0);
    assert.ok(report.checks.length >= 40, `${report.checks.length} checks`);
    assert.deepEqual(report.left, []);
    assert.equal(await people(endpoint), 0);
  });

  scenario('r79 a wrong token is named as such, and the walk stops there', async ({ world }) => {
    const { code, report } = await walk(world, { ...world.endpoint('checked'), token: 'wrong-token-0123456789abcdef' });
    assert.equal(code, 1);
    assert.deepEqual(report.checks.map(({ verdict }) => verdict), ['failed']);
    assert.match(report.checks[0].found, /token is refused/);
  });

  scenario('the gaps of another server are found, each with what to do', async ({ world, engine, t }) => {
    if (engine !== 'sqlite') return t.skip('does not touch the database: once is enough');
    const { code, report } = await walk(world, world.peer);
    assert.equal(code, 1);
    const failed = report.checks.filter(({ verdict }) => verdict === 'failed');
    assert.deepEqual(failed.map(({ name }) => name), [
      'set a phone number that is not there yet (Entra)',
      'a manager as a bare id comes back as an object (Entra)',
      'remove one by a list of values (Entra)',
    ]);
    assert.ok(failed.every(({ advice }) => advice), JSON.stringify(failed));
    assert.deepEqual(report.left, []);
    assert.equal(await people(world.peer), 0);
    // For people: one line per check, and what to do below those that failed.
    const { stdout } = await world.installation.cli(['scim', 'check', world.peer.base, '--token', world.peer.token], { expect: null });
    assert.match(stdout, /^BAD {3}groups +remove one by a list of values/m);
    assert.match(stdout, /^ {6}do: /m);
  });
});
