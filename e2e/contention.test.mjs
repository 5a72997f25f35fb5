// 32 programs fight over the API for the last seats, for one address and for one invitation: never over the limit, never two
// accounts, never two ways in. On PostgreSQL they call two nodes.
import assert from 'node:assert/strict';
import { simpleParser } from 'mailparser';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { address, ID, mailWorld } from './worlds/mail.mjs';

const CROWD = 32;
const SEATS = 5;
const HOLDERS = 10;

onEachEngine('contention', contentionWorld, (scenario) => {
  scenario(`${CROWD} programs add a person each for the last ${SEATS} seats`, async ({ world }) => {
    const answers = await allAtOnce(world, (at) => ['POST', '/accounts', {
      email: address(`seat${at}`),
      connection: ID,
      memberships: [{ organization: ID, license: 'standard' }],
      invite: true,
    }]);
    assert.deepEqual(tally(answers), { 201: SEATS, '409 no_seat': CROWD - SEATS });
    const { pools } = (await call(world, 'GET', `/organizations/${ID}/seats`)).body;
    assert.equal(pools.find(({ license }) => license === 'standard').used, SEATS);
    const { items } = (await call(world, 'GET', `/accounts?search=seat&limit=200`)).body;
    assert.equal(items.length, SEATS, 'who got no seat has no account');
    const invited = answers.filter(({ status }) => status === 201).map(({ body }) => body.email).sort();
    await eventually('their mail, and no other', () => world.mail.mails.length >= SEATS);
    assert.deepEqual(world.mail.mails.flatMap(({ to }) => to).sort(), invited);
  });

  scenario('seats that come free go to as many as there are, whoever asks for them at the same moment', async ({ world }) => {
    const { items } = (await call(world, 'GET', `/accounts?search=seat&limit=200`)).body;
    const [first, second] = items;
    for (const { id } of [first, second]) {
      const { status } = await call(world, 'DELETE', `/organizations/${ID}/members/${id}`);
      assert.ok(status < 300, `${status}`);
    }
    const answers = await allAtOnce(world, (at) => ['POST', '/accounts', {
      email: address(`next${at}`),
      connection: ID,
      memberships: [{ organization: ID, license: 'standard' }],
    }]);
    assert.deepEqual(tally(answers), { 201: 2, '409 no_seat': CROWD - 2 });
    const { pools } = (await call(world, 'GET', `/organizations/${ID}/seats`)).body;
    assert.equal(pools.find(({ license }) => license === 'standard').used, SEATS);
  });

  scenario(`${CROWD} programs add and invite the same person at once`, async ({ world }) => {
    const before = world.mail.mails.length;
    const letters = ['same@LAB.example', 'SAME@lab.example', 'same@lab.example'];
    const answers = await allAtOnce(world, (at) => ['POST', '/accounts', {
      email: letters[at % letters.length],
      connection: ID,
      memberships: [{ organization: ID }],
      invite: true,
    }]);
    assert.deepEqual(tally(answers), { 201: 1, '409 account_exists': CROWD - 1 });
    const { items } = (await call(world, 'GET', `/accounts?email=${address('same')}`)).body;
    assert.equal(items.length, 1, 'one account');
    const invitations = (await call(world, 'GET', `/organizations/${ID}/invitations?account=${items[0].id}`)).body.items;
    assert.equal(invitations.length, 1, 'one invitation');
    await eventually('one mail', () => world.mail.mails.length > before);
    assert.equal(world.mail.mails.length, before + 1);
  });

  scenario(`${CROWD} programs send one invitation again at once: only the last link works, and once`, async ({ world, browser }) => {
    const person = { email: address('again'), memberships: [{ organization: ID }], invite: true, skip_invitation: true };
    const { body: added } = await call(world, 'POST', '/accounts', person);
    const before = world.mail.mails.length;
    const answers = await allAtOnce(world, () => ['POST', `/invitations/${added.invitation.id}/resend`, {}]);
    assert.deepEqual(tally(answers), { 200: CROWD });
    await eventually('all their mail', () => world.mail.mails.length >= before + CROWD);
    const parsed = await Promise.all(world.mail.mails.slice(before).map(({ raw }) => simpleParser(raw)));
    const links = parsed.map(({ text }) => text.match(/http:\S+\/invite\/[\w-]+/)[0]);
    assert.equal(new Set(links).size, CROWD, 'no token is handed out twice');
    const pages = [];
    for (const link of links) pages.push({ link, page: await browser().open(link) });
    const open = pages.filter(({ page }) => page.status === 200);
    assert.equal(open.length, 1, pages.map(({ page }) => page.status).join());
    // And those who hold that link at the same moment: one of them sets the password. From one address, 60 links a minute are opened.
    const attempts = await Promise.all(Array.from({ length: HOLDERS }, async (_, at) => {
      const visitor = browser();
      const page = await visitor.open(open[0].link);
      const form = page.forms.find((each) => each.fieldOfType('password'));
      if (!form) return 'gone';
      const password = `correct horse battery ${at}`;
      const after = await visitor.submit(page, form, { password, repeat: password });
      return after.url.pathname === '/account' ? 'in' : 'gone';
    }));
    assert.equal(attempts.filter((each) => each === 'in').length, 1, attempts.join());
  });
});

async function contentionWorld(engine) {
  const world = await mailWorld(engine);
  world.document.organizations[0].licenses = [{ id: 'standard', seats: SEATS }];
  await world.installation.apply(world.document);
  world.origins = [world.node.origin];
  if (engine === 'postgres') world.origins.push((await world.installation.serve({ own: true })).origin);
  return world;
}

/** Sends what `request(at)` says for each of the crowd at the same moment, on all nodes. */
function allAtOnce(world, request) {
  return Promise.all(Array.from({ length: CROWD }, (_, at) => call(world, ...request(at), world.origins[at % world.origins.length])));
}

async function call(world, method, path, body, origin = world.installation.origin) {
  const response = await fetch(`${origin}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${world.key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : undefined };
}

/** Answers by status and code. */
function tally(answers) {
  const counts = {};
  for (const { status, body } of answers) {
    const key = body?.code ? `${status} ${body.code}` : `${status}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
