// Many people at the same moment: for the last seat, for plenty of seats, and one person many times.
import assert from 'node:assert/strict';
import path from 'node:path';
import { faults, readBackup } from './durability/ledger.mjs';
import { Person, summary } from './durability/person.mjs';
import { crashWorld } from './durability/world.mjs';
import { onEachEngine } from './lib/scenario.mjs';

const CROWD = 32;
const SEATS = 5;

onEachEngine('crowds', seatsWorld, (scenario) => {
  scenario(`of ${CROWD} people who come for the last seat exactly one gets in (on_no_seat: refuse)`, async ({ world, engine }) => {
    for (let seat = 1; seat < SEATS; seat++) await new Person(world, `early${seat}`).signIn();
    const crowd = Array.from({ length: CROWD }, (_, at) => new Person(world, `late${at}`));
    const answers = await allAtOnce(world, crowd);
    assert.equal(answers.filter(isIn).length, 1, answers.map(({ status }) => status).join());
    for (const answer of answers.filter((each) => !isIn(each))) {
      assert.equal(Math.floor(answer.status / 100), 4, summary(answer));
      assert.match(summary(answer), /reference/i);
    }
    const table = await tables(world, `${engine}-last-seat`);
    assert.deepEqual(faults(table), []);
    assert.deepEqual(table('licenses').map(({ used, seats }) => [used, seats]), [[SEATS, SEATS]]);
    assert.equal(table('accounts').length, SEATS);
    assert.equal(table('events').filter(({ kind }) => kind === 'sign_in.refused').length, CROWD - 1);
  });

  scenario(`${CROWD} people who come at once for ${CROWD} seats all get in`, async ({ world, engine }) => {
    const more = structuredClone(world.document);
    more.organizations[0].licenses[0].seats = SEATS + CROWD;
    await world.installation.apply(more);
    const answers = await allAtOnce(world, Array.from({ length: CROWD }, (_, at) => new Person(world, `guest${at}`)));
    assert.equal(answers.filter(isIn).length, CROWD, answers.map((each) => `${each.status} ${summary(each)}`).find((text) => !/^30/.test(text)));
    const table = await tables(world, `${engine}-plenty`);
    assert.deepEqual(faults(table), []);
    assert.equal(table('licenses')[0].used, SEATS + CROWD);
  });

  scenario('one new person in 32 browsers at once becomes one account', async ({ world, engine }) => {
    const more = structuredClone(world.document);
    more.organizations[0].licenses[0].seats = SEATS + CROWD + 1;
    await world.installation.apply(more);
    const answers = await allAtOnce(world, Array.from({ length: CROWD }, () => new Person(world, 'everywhere')));
    assert.equal(answers.filter(isIn).length, CROWD, answers.map(({ status }) => status).join());
    const table = await tables(world, `${engine}-everywhere`);
    assert.deepEqual(faults(table), []);
    const [account, ...others] = table('accounts').filter(({ email }) => email === 'everywhere@acme.example');
    assert.deepEqual(others, []);
    assert.equal(table('sessions').filter((session) => session.account === account.id).length, CROWD);
  });
});

async function seatsWorld(engine) {
  const world = await crashWorld(engine, {
    licenses: [{ id: 'standard', seats: SEATS }],
    connection: {
      on_no_seat: 'refuse',
      policy: { role: { fixed: 'Member' }, workspaces: { mode: 'all' }, license: { fixed: 'standard' } },
    },
  });
  world.nodes = [await world.start()];
  if (engine === 'postgres') world.nodes.push(await world.installation.serve({ own: true }));
  return world;
}

/** Brings everybody to our door, then lets all of them in at the same moment, on all nodes; returns the answers at the door. */
async function allAtOnce(world, people) {
  const callbacks = [];
  for (const person of people) callbacks.push(await person.depart());
  return Promise.all(people.map((person, at) => person.send('GET', callbacks[at], { node: world.nodes[at % world.nodes.length] })));
}

function isIn({ headers }) {
  return /provost_session=[^;]/.test(String(headers['set-cookie']));
}

async function tables(world, name) {
  const file = path.join(world.installation.directory, `${name}.backup`);
  await world.installation.cli(['backup', file]);
  return readBackup(file);
}
