// Mail through a real mail server: invitations, new passwords and conversions are opened and their links followed to a session.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { makeCertificate } from './partners/mail-server.mjs';
import { address, ID, mailWorld } from './worlds/mail.mjs';

const PASSWORD = 'correct horse battery staple';

async function invite(world, person) {
  const { results: [result] } = await world.api('POST', `/organizations/${ID}/invitations`, { people: [person] });
  assert.ok(result.invitation, JSON.stringify(result));
  return result.invitation;
}

/** Sets a password behind a link. */
async function choosePassword(visitor, link) {
  const page = await visitor.open(link);
  const form = page.forms.find((each) => each.fieldOfType('password'));
  assert.ok(form, page.words);
  return visitor.submit(page, form, { password: PASSWORD, repeat: PASSWORD });
}

/** Opens an invitation through the company and signs in at the provider as `who`. */
async function throughTheProvider(world, visitor, link, who) {
  const page = await visitor.open(link);
  const [form] = page.forms;
  const login = await visitor.submit(page, form);
  assert.ok(login.url.href.startsWith(world.provider.issuer), login.url.href);
  return visitor.signIn(login, { user: who, password: 'pw' });
}

onEachEngine('mail', (engine) => mailWorld(engine), (scenario) => {
  scenario('r92 an invitation is opened, a password chosen, and the person is in', async ({ world, browser }) => {
    const { id } = await invite(world, { email: address('cara'), given_name: 'Cara' });
    const mail = await world.mail.mailTo(address('cara'));
    assert.equal(mail.from.value[0].address, 'accounts@sso.example');
    assert.match(mail.subject, /Organization lab/);
    assert.match(mail.html, /Cara/);
    const link = mail.link(/\/invite\//);
    assert.ok(mail.html.includes(link), 'text and HTML lead to the same place');
    const account = await choosePassword(browser(), link);
    assert.equal(account.url.pathname, '/account', account.words);
    assert.match(account.words, /cara@lab\.example/);
    assert.equal((await world.api('GET', `/invitations/${id}`)).state, 'accepted');
    assert.equal((await browser().open(link)).status, 404);
    const history = await world.api('GET', `/mails?recipient=${address('cara')}`);
    assert.deepEqual(history.items.map(({ state }) => state), ['sent']);
  });

  scenario('r174 an SSO invitation leads through the provider, and lets nobody else in', async ({ world, browser }) => {
    await invite(world, { email: address('ann'), connection: ID });
    const link = (await world.mail.mailTo(address('ann'))).link(/\/invite\//);
    const stranger = browser();
    const refused = await throughTheProvider(world, stranger, link, 'eve');
    assert.equal(refused.status, 403, refused.words);
    assert.match(refused.words, /for somebody else/);
    assert.doesNotMatch((await stranger.open(`${world.installation.origin}/account`)).words, /@lab\.example/);
    const account = await throughTheProvider(world, browser(), link, 'ann');
    assert.equal(account.url.pathname, '/account', account.words);
    assert.match(account.words, /ann@lab\.example/);
  });

  scenario('r01 a forgotten password is set anew by mail', async ({ world, browser }) => {
    await invite(world, { email: address('dora') });
    await choosePassword(browser(), (await world.mail.mailTo(address('dora'))).link(/\/invite\//));
    const visitor = browser();
    const page = await visitor.open(`${world.installation.origin}/login/forgot`);
    const form = page.forms.find((each) => each.fieldOfType('email'));
    await visitor.submit(page, form, { email: address('dora') });
    const link = (await world.mail.mailTo(address('dora'), { seen: 1 })).link(/\/password\//);
    const account = await choosePassword(visitor, link);
    assert.equal(account.url.pathname, '/account', account.words);
  });

  scenario('r93 r96 r97 a converted person signs in through the company, and with the password too', async ({ world, browser }) => {
    await invite(world, { email: address('bob') });
    await choosePassword(browser(), (await world.mail.mailTo(address('bob'))).link(/\/invite\//));
    const body = { connection: ID, kinds: ['user', 'reader'] };
    const preview = await world.api('POST', `/organizations/${ID}/conversions/preview`, body);
    const bob = preview.people.find(({ email }) => email === address('bob'));
    assert.equal(bob.reason, undefined);
    const run = await world.api('POST', `/organizations/${ID}/conversions`, { ...body, accounts: [bob.account] });
    const link = (await world.mail.mailTo(address('bob'), { seen: 1 })).link(/\/invite\//);
    const account = await throughTheProvider(world, browser(), link, 'bob');
    assert.equal(account.url.pathname, '/account', account.words);
    const board = await world.api('GET', `/conversions/${run.id}/people?signed_in=true`);
    assert.deepEqual(board.items.map(({ email }) => email), [address('bob')]);
    const page = await browser().open(`${world.installation.origin}/login/password`);
    const visitor = browser();
    const again = await visitor.signIn(await visitor.open(page.url), { user: address('bob'), password: PASSWORD });
    assert.equal(again.url.pathname, '/account', again.words);
  });

  scenario('a mail server that says no for now is asked again, one that says no for good is not', async ({ world }) => {
    let asked = 0;
    world.mail.refuse((to) => {
      if (to !== address('never')) return undefined;
      asked += 1;
      return Object.assign(new Error('no such mailbox'), { responseCode: 550 });
    });
    await invite(world, { email: address('never') });
    const mail = await eventually('the mail is given up', async () => {
      const { items: [found] } = await world.api('GET', `/mails?recipient=${address('never')}`);
      return found.state === 'dead' && found;
    });
    assert.equal(asked, 1);
    assert.match(mail.last_error, /no such mailbox/);
  });
});

for (const trusted of [true, false]) {
  const certificate = makeCertificate();
  onEachEngine(`mail with STARTTLS, ${trusted ? 'an authority that is trusted' : 'an authority that is not'}`, async (engine) => {
    const { tls, authority } = await certificate;
    return mailWorld(engine, {
      mail: { tls, login: { user: 'lab', password: 'p@ss w%rd' } },
      settings: { mail_smtp_user: 'lab', mail_smtp_password: 'p@ss w%rd', ...(trusted ? { mail_smtp_ca_file: authority } : {}) },
    });
  }, (scenario) => {
    scenario(trusted ? 'mail leaves encrypted and signed in' : 'no mail leaves', async ({ world, engine, t }) => {
      if (engine !== 'sqlite') return t.skip('does not touch the database: once is enough');
      await invite(world, { email: address('ann'), connection: ID });
      if (trusted) {
        await world.mail.mailTo(address('ann'));
        assert.equal(world.mail.mails[0].secure, true);
        assert.equal(world.mail.mails[0].user, 'lab');
        return;
      }
      const mail = await eventually('the try is noted', async () => {
        const { items: [found] } = await world.api('GET', '/mails');
        return found.attempts > 0 && found.last_error && found;
      });
      assert.match(mail.last_error, /certificate|UnknownIssuer/i);
      assert.equal(mail.state, 'queued');
      assert.deepEqual(world.mail.mails, []);
    });
  });
}
