// Two nodes on one PostgreSQL, used at the same moment: what one does counts for the other, and everything that may happen once
// happens once.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { faults, readBackup } from './durability/ledger.mjs';
import { Person, Unexpected } from './durability/person.mjs';
import { crashWorld } from './durability/world.mjs';
import { ENGINES, stopCluster } from './lib/databases.mjs';
import { eventually, run } from './lib/process.mjs';
import { newInstallation } from './lib/provost.mjs';

const TRIALS = Number(process.env.NODES_TRIALS ?? 50);
const WITH_PASSWORD = { email: 'boss@acme.example', kind: 'user', password: 'correct horse battery staple', memberships: [{ organization: 'acme', roles: ['owner'] }] };

describe('two nodes on postgres', { skip: !ENGINES.includes('postgres') }, () => {
  let world;
  let nodes;
  before(async () => {
    world = await crashWorld('postgres', { users: [WITH_PASSWORD] });
    nodes = [await world.start(), await world.installation.serve({ own: true })];
  });
  after(async () => {
    await world?.stop();
    await stopCluster();
  });
  const scenario = (title, body) => test(title, async (t) => {
    try {
      await body(t);
    } catch (error) {
      t.diagnostic(world.installation.tail());
      throw error;
    }
  });

  scenario('a sign-in may begin on one node, end on the other, and be used on both', async () => {
    const [one, other] = nodes;
    const person = new Person(world, 'wanderer');
    await person.arrive(await person.depart(one), other);
    await person.redeem(one);
    await person.refresh(other);
    for (const node of nodes) {
      assert.equal((await person.userinfo(node)).status, 200);
      assert.ok(await person.isSignedIn(node));
    }
  });

  scenario(`a sign-out on one node holds on the other at once, ${TRIALS} times`, async () => {
    await manyTimes(async (trial) => {
      const [one, other] = trial % 2 ? nodes : nodes.toReversed();
      const person = new Person(world, `leaver${trial % 7}x${trial}`);
      await person.signIn(one);
      await person.redeem(other);
      assert.ok(await person.isSignedIn(other));
      await person.signOut(one);
      const [signedIn, userinfo, refresh] = await Promise.all([
        person.isSignedIn(other), person.userinfo(other),
        person.app('/oauth2/token', { grant_type: 'refresh_token', refresh_token: person.tokens.refresh_token }, other),
      ]);
      assert.deepEqual([signedIn, userinfo.status, refresh.status], [false, 401, 400]);
    });
  });

  scenario(`an identity provider's answer brought to both nodes at once opens one session, ${TRIALS} times`, async () => {
    await manyTimes(async (trial) => {
      const person = new Person(world, `twin${trial}`);
      const callback = await person.depart(nodes[trial % 2]);
      const answers = await Promise.all(nodes.map((node) => person.send('GET', callback, { node })));
      const opened = answers.filter(({ headers }) => /provost_session=[^;]/.test(String(headers['set-cookie'])));
      assert.equal(opened.length, 1, answers.map(({ status }) => status).join());
      assert.deepEqual(answers.map(({ status }) => Math.floor(status / 100)).sort(), [3, 4]);
    });
  });

  scenario(`a code sent to both nodes at once is exchanged once, and the doubt ends its tokens, ${TRIALS} times`, async () => {
    await manyTimes(async (trial) => {
      const person = new Person(world, `coder${trial}`);
      await person.signIn(nodes[trial % 2]);
      const outcomes = await Promise.allSettled(nodes.map((node) => person.redeem(node)));
      const won = outcomes.filter(({ status }) => status === 'fulfilled');
      assert.equal(won.length, 1);
      assert.match(outcomes.find(({ status }) => status === 'rejected').reason.message, /400 .*invalid_grant/);
      // RFC 6749 4.1.2: a code used twice was stolen by one of the two.
      const refresh = await person.app('/oauth2/token', { grant_type: 'refresh_token', refresh_token: won[0].value.refresh_token });
      assert.equal(refresh.status, 400);
    });
  });

  scenario(`a refresh token sent to both nodes at once never has two successors, ${TRIALS} times`, async () => {
    await manyTimes(async (trial) => {
      const person = new Person(world, `refresher${trial}`);
      await person.signIn(nodes[trial % 2]);
      const { refresh_token: token } = await person.redeem();
      const answers = await Promise.all(nodes.map((node) => person.app('/oauth2/token', { grant_type: 'refresh_token', refresh_token: token }, node)));
      assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
      const [one, other] = answers.map(({ text }) => JSON.parse(text));
      assert.equal(one.refresh_token, other.refresh_token);
      person.tokens = one;
      await person.refresh(nodes[(trial + 1) % 2]);
    });
  });

  scenario('apps are told once of each session that ended, whichever node ended it', async () => {
    const people = [];
    await manyTimes(async (trial) => {
      const person = new Person(world, `told${trial}`);
      await person.signIn(nodes[trial % 2]);
      await person.redeem();
      people.push(person);
    }, 30);
    await Promise.all(people.map((person, at) => person.signOut(nodes[at % 2])));
    const { told } = world.logouts;
    await eventually('every session was told', () => people.every(({ claims }) => told.has(claims.sid)));
    // A second delivery would come with the next looks of the two runners, which look each second.
    await sleep(2_500);
    assert.deepEqual(people.map(({ claims }) => told.get(claims.sid)), people.map(() => 1));
  });

  scenario('a new signing key is published by both nodes, then signs on both, and old tokens stay good', async () => {
    const before = new Person(world, 'keyholder');
    await before.signIn();
    await before.redeem();
    const old = await keysOf(nodes[0]);
    // As if the current keys had signed for 400 days: the rotation's job then makes their successors.
    await sql('UPDATE signing_keys SET not_before = not_before - 34560000000');
    await rotateNow();
    const both = await eventually('both nodes publish the next keys', async () => {
      const [one, other] = await Promise.all(nodes.map(keysOf));
      return one.length === 6 && other.length === 6 && [one, other];
    });
    assert.deepEqual(both[0].sort(), both[1].sort());
    await sql("UPDATE signing_keys SET not_before = not_before - 34560000000 WHERE state = 'next'");
    await rotateNow();
    await eventually('both nodes sign with a new key', async () => {
      const kids = await Promise.all(nodes.map(async (node) => {
        const person = new Person(world, 'keyholder');
        await person.signIn(node);
        return JSON.parse(Buffer.from((await person.redeem(node)).id_token.split('.')[0], 'base64url')).kid;
      }));
      return kids.every((kid) => !old.includes(kid)) && new Set(kids).size === 1;
    });
    for (const node of nodes) assert.equal((await before.userinfo(node)).status, 200);
  });

  scenario('attempts are counted over both nodes together', async () => {
    // Windows are fixed: do not begin at the end of one.
    const left = 900_000 - (Date.now() % 900_000);
    if (left < 20_000) await sleep(left);
    const guesser = new Person(world, 'boss');
    const statuses = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      statuses.push((await guesser.signInWithPassword(`wrong ${attempt}`, nodes[attempt % 2])).status);
    }
    assert.ok(statuses.slice(0, 10).every((status) => status !== 429), statuses.join());
    assert.deepEqual(statuses.slice(10), [429, 429]);
    const herself = new Person(world, 'boss');
    assert.equal((await herself.signInWithPassword(WITH_PASSWORD.password, nodes[0])).status, 303);
  });

  scenario('after all this the database is whole', async () => {
    const file = path.join(world.installation.directory, 'nodes.backup');
    await world.installation.cli(['backup', file]);
    assert.deepEqual(faults(readBackup(file)), []);
  });

  scenario('two nodes may start at the same moment on an empty database', async () => {
    for (let trial = 0; trial < 5; trial++) {
      const installation = await newInstallation('postgres');
      try {
        const both = await Promise.all([installation.serve(), installation.serve({ own: true })]);
        const [one, other] = await Promise.all(both.map(keysOf));
        assert.equal(one.length, 3);
        assert.deepEqual(one.sort(), other.sort());
      } finally {
        await installation.stop();
      }
    }
  });

  async function sql(text) {
    await run('psql', [databaseUrl(world.installation), '-qc', text]);
  }

  /** Queues the rotation job as its timetable would, and waits until it is done. */
  async function rotateNow() {
    const id = `job_test_${Date.now()}`;
    await sql(`INSERT INTO jobs (id, kind, payload, run_at, attempts, created_at) VALUES ('${id}', 'key_rotation', 'null', 0, 0, 0)`);
    await eventually('the rotation ran', async () => {
      const { stdout } = await run('psql', [databaseUrl(world.installation), '-Atc', `SELECT done_at IS NOT NULL FROM jobs WHERE id = '${id}'`]);
      return stdout.trim() === 't';
    });
  }
});

/** Runs a trial many times, a few at once. */
async function manyTimes(trial, times = TRIALS, atOnce = 4) {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < times) await trial(next++);
  }));
}

async function keysOf(node) {
  const answer = await fetch(`${node.origin}/oauth2/jwks`);
  if (answer.status !== 200) throw new Unexpected(`jwks: ${answer.status}`);
  return (await answer.json()).keys.map(({ kid }) => kid);
}

function databaseUrl({ directory }) {
  return JSON.parse(/^database_url = (.*)$/m.exec(readFileSync(path.join(directory, 'provost.toml'), 'utf8'))[1]);
}
