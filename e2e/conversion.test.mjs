// Ten thousand people (on PostgreSQL two thousand) moved to single sign-on in one run, with the server killed half-way: nobody invited twice, nobody lost.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { address, ID, mailWorld } from './worlds/mail.mjs';

const MINUTES = 60_000;

const count = (engine) => Number(process.env.PROVOST_E2E_PEOPLE ?? (engine === 'postgres' ? 2000 : 10_000));

const users = (engine) => Array.from({ length: count(engine) }, (_, at) => ({
  email: address(`p${at}`),
  given_name: `P${at}`,
  family_name: 'Lab',
  kind: at % 10 ? 'user' : 'reader',
  memberships: [{ organization: ID, roles: ['member'] }],
}));

onEachEngine('conversion', (engine) => mailWorld(engine, { users: users(engine) }), (scenario) => {
  scenario('all people of an organization, killed half-way with SIGKILL and resumed', async ({ world, engine }) => {
    const PEOPLE = count(engine);
    const run = await world.api('POST', `/organizations/${ID}/conversions`, { connection: ID, kinds: ['user', 'reader'] });
    const look = async () => (await world.api('GET', `/conversions/${run.id}`));
    await eventually('half of them are through', async () => (await look()).people.invited >= PEOPLE / 2, { timeoutMs: 5 * MINUTES });
    process.kill(world.node.pid, 'SIGKILL');
    const { signal } = await world.node.exited;
    assert.equal(signal, 'SIGKILL');
    world.node = await world.installation.serve();
    const killed = await look();
    assert.ok(killed.people.pending > 0, `it was killed too late: ${JSON.stringify(killed.people)}`);
    await eventually('the run is done', async () => (await look()).state === 'done', { timeoutMs: 5 * MINUTES, everyMs: 500 });
    const { people } = await look();
    assert.deepEqual({ ...people }, { pending: 0, invited: PEOPLE, skipped: 0, failed: 0, retired: 0, undone: 0, signed_in: 0 });
    const byPerson = new Map();
    const idOf = ({ raw }) => raw.toString('latin1').match(/^Message-ID: (<[^>]+>)/im)[1];
    await eventually('all mail left', () => new Set(world.mail.mails.flatMap(({ to }) => to)).size === PEOPLE, { timeoutMs: 5 * MINUTES, everyMs: 500 });
    for (const mail of world.mail.mails) {
      const [to] = mail.to;
      byPerson.set(to, (byPerson.get(to) ?? new Set()).add(idOf(mail)));
    }
    assert.equal(byPerson.size, PEOPLE, 'nobody is lost');
    const twice = [...byPerson].filter(([, ids]) => ids.size !== 1);
    assert.deepEqual(twice, [], 'nobody is invited twice');
    // What was on its way when the server was killed may arrive again, as the same mail.
    assert.ok(world.mail.mails.length - PEOPLE <= 64, `${world.mail.mails.length} deliveries`);
  });
});
