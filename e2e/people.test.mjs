// The ways in that are ours alone: e-mail first, the organization's page, passwords for accounts without a provider.
import assert from 'node:assert/strict';
import { onEachEngine } from './lib/scenario.mjs';
import { samlWorld, signInThrough } from './worlds/saml.mjs';

const PASSWORD = 'correct horse battery staple';

async function peopleWorld(engine) {
  const world = await samlWorld(engine);
  const dora = { email: 'dora@by-hand.example', given_name: 'Dora', family_name: 'Sund', password: PASSWORD, memberships: [{ organization: 'signed-both', roles: ['member'] }] };
  await world.installation.apply({ ...world.document, users: [dora] });
  return world;
}

/** Opens the e-mail page, sends an address, and returns what comes next. */
async function typeEmail(world, browser, email) {
  const page = await browser.open(`${world.installation.origin}/login`);
  const form = page.forms.find((each) => each.fieldOfType('email'));
  return browser.submit(page, form, { [form.fieldOfType('email')]: email });
}

async function typePassword(world, browser, email, password) {
  const page = await browser.open(`${world.installation.origin}/login/password`);
  return browser.signIn(page, { user: email, password });
}

onEachEngine('people', peopleWorld, (scenario) => {
  scenario('r05 an e-mail in a verified domain leads to its identity provider', async ({ world, browser }) => {
    const visitor = browser();
    const page = await typeEmail(world, visitor, 'Ann@Signed-Both.Example');
    assert.ok(page.url.href.startsWith(world.idp.baseUrl), page.url.href);
    const account = await visitor.signIn(page, { user: 'ann-signed-both', password: 'pw' });
    assert.equal(account.url.pathname, '/account', account.words);
    assert.match(account.words, /ann@signed-both\.example/);
  });

  scenario("r115 the organization's address leads to its identity provider", async ({ world, browser }) => {
    const visitor = browser();
    const page = await visitor.open(`${world.installation.origin}/login/signed-both`);
    assert.match(page.words, /Organization signed-both/);
    const provider = page.link(/\/sso\/signed-both\/login/);
    assert.ok(provider, page.words);
    const login = await visitor.click(page, provider);
    assert.ok(login.url.href.startsWith(world.idp.baseUrl), login.url.href);
  });

  scenario('an account without a provider signs in with its password, and goes on to the app', async ({ world, browser }) => {
    const visitor = browser();
    const account = await typePassword(world, visitor, 'dora@by-hand.example', PASSWORD);
    assert.equal(account.url.pathname, '/account', account.words);
    const page = await visitor.open(world.app.loginUrl());
    assert.equal(page.json?.claims.email, 'dora@by-hand.example', page.words);
  });

  scenario('r02 the password form says the same to a wrong password, an SSO account and a stranger', async ({ world, browser }) => {
    await signInThrough(world, browser(), 'signed-both');
    const answers = [];
    for (const email of ['dora@by-hand.example', 'ann@signed-both.example', 'nobody@by-hand.example']) {
      const page = await typePassword(world, browser(), email, 'wrong password entirely');
      assert.notEqual(page.url.pathname, '/account', email);
      answers.push({ status: page.status, words: page.words.replaceAll(email, 'ADDRESS') });
    }
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
  });

  scenario('signing out ends the session here', async ({ world, browser }) => {
    const visitor = browser();
    await typePassword(world, visitor, 'dora@by-hand.example', PASSWORD);
    const ask = await visitor.open(`${world.installation.origin}/logout`);
    const form = ask.forms.find((each) => each.action.pathname === '/logout');
    await visitor.submit(ask, form);
    const account = await visitor.open(`${world.installation.origin}/account`);
    assert.doesNotMatch(account.words, /dora@by-hand/);
  });

  scenario('a form from another site is refused', async ({ world, browser }) => {
    const visitor = browser();
    const page = await visitor.open(`${world.installation.origin}/login/password`);
    const form = page.forms.find((each) => each.fieldOfType('password'));
    const { url, body } = form.toRequest({ email: 'dora@by-hand.example', password: PASSWORD });
    const foreign = await visitor.fetch(url, { method: 'POST', body, from: new URL(world.idp.baseUrl) });
    assert.equal(foreign.status, 403, foreign.words);
  });
});
