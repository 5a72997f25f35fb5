// Accounts with a password and what protects them, in a real browser: passkeys of a virtual authenticator as the second step and
// alone, proving again that it is she, and the page on which single sign-on is demanded.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { onEachEngine } from './lib/scenario.mjs';
import { accessibilityViolations, appearancesOn, screenshot, sidewaysOverflow, startChromium } from './partners/chromium.mjs';
import { consoleWorld, MEMBER, OWNER, PASSWORD } from './worlds/console.mjs';

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

// Passkeys belong to a host with a name.
onEachEngine('security in Chromium', (engine) => consoleWorld(engine, { host: 'localhost' }), (scenario, engine) => {
  scenario('a passkey is set up, is the second step, stands alone, and is removed', async ({ world }) => {
    const { origin } = world.installation;
    const page = await chromium.open();
    const device = await authenticator(page);
    await typePassword(page, world, MEMBER);
    await page.waitForURL(/\/account$/);
    await page.goto(`${origin}/account/security`);
    await page.getByRole('link', { name: 'Set up a passkey' }).click();
    await page.locator('#label').fill('Laptop of Max');
    await page.locator('#password').fill(PASSWORD);
    await judge(page, 'security-passkey-new');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.waitForURL(/\/account\/security$/);
    assert.match(await page.innerText('main'), /Laptop of Max/);
    assert.equal((await device.credentials()).length, 1);
    await judge(page, 'security-with-passkey');

    await signOut(page, world);
    await typePassword(page, world, MEMBER);
    await page.waitForURL(/\/login\/second$/);
    await judge(page, 'security-second-step');
    assert.equal(await page.locator('#code').count(), 0, 'there is no app and no code');
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.waitForURL(/\/account$/);

    await signOut(page, world);
    await page.goto(`${origin}/login/password`);
    await page.getByRole('link', { name: 'Use a passkey' }).click();
    await page.waitForURL(/\/login\/passkey/);
    await judge(page, 'security-passkey-alone');
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.waitForURL(/\/account$/);
    assert.match(await page.innerText('main'), new RegExp(MEMBER));

    // A device that does not know its owner is no proof of who she is.
    await signOut(page, world);
    await device.verifies(false);
    await page.goto(`${origin}/login/passkey`);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByText('That did not work').waitFor();
    await device.verifies(true);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.waitForURL(/\/account$/);

    await page.goto(`${origin}/account/security`);
    await page.locator('input[id^="password-fac"]').fill(PASSWORD);
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.waitForURL(/\/account\/security$/);
    assert.doesNotMatch(await page.innerText('main'), /Laptop of Max/);
    await signOut(page, world);
    await page.goto(`${origin}/login/passkey`);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByText('That passkey was not taken').waitFor();
    await page.context().close();
  });

  scenario('without scripts the pages say that passkeys need one, and the password goes on working', async ({ world }) => {
    const { origin } = world.installation;
    const page = await chromium.open({ scripts: false });
    await page.goto(`${origin}/login/passkey`);
    assert.match(await page.innerText('main'), /Passkeys need a script/);
    assert.equal(await page.getByRole('button', { name: 'Use a passkey' }).isVisible(), false);
    await page.getByRole('link', { name: 'Use a password instead' }).click();
    await page.waitForURL(/\/login\/password/);
    await page.context().close();
  });

  scenario('she proves again who she is and comes back to where she was', async ({ world }) => {
    const { origin } = world.installation;
    const page = await chromium.open();
    await typePassword(page, world, OWNER);
    await page.waitForURL(/\/account$/);
    await page.goto(`${origin}/account/confirm?to=/console/northwind/users?q=person`);
    assert.match(await page.innerText('h1'), /Confirm that it is you/);
    assert.equal(await page.locator('#email').inputValue(), OWNER);
    await judge(page, 'security-confirm');
    await page.locator('#email').fill(MEMBER);
    await page.locator('#password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByText('somebody else').waitFor();
    await page.goto(`${origin}/account/confirm?to=/console/northwind/users?q=person`);
    await page.locator('#password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/console\/northwind\/users\?q=person$/);
    await page.goto(`${origin}/account`);
    assert.equal(await page.locator('#sessions ~ ul > li').count(), 1, 'the same session, no second one');
    await page.context().close();

    // Through the identity provider, which asks her although she is signed in there.
    const ann = await chromium.open();
    await ann.goto(`${origin}/sso/northwind-id/login`);
    await providerSignIn(ann, 'ann');
    await ann.waitForURL(/\/account$/);
    await ann.goto(`${origin}/account/confirm?to=/console/northwind`);
    await providerSignIn(ann, 'ann');
    await ann.waitForURL(/\/console\/northwind$/);
    await ann.context().close();
  });

  scenario('r184 single sign-on is demanded once the list is done, and the last emergency admin stays', async ({ world }) => {
    const { origin } = world.installation;
    const here = `${world.organization}/sign-in`;
    const page = await chromium.open();
    await typePassword(page, world, OWNER);
    await page.waitForURL(/\/account$/);
    await page.goto(here);
    const required = page.locator('input[name=sso][value=required]');
    assert.equal(await required.isDisabled(), true);
    assert.match(await page.innerText('main'), /There is none/);
    await judge(page, 'security-not-ready');
    await page.locator('#email').fill(OWNER);
    await page.getByRole('button', { name: 'Make emergency admin' }).click();
    await page.waitForURL(/done=marked/);
    assert.match(await page.innerText('main'), /0 recovery codes left/);
    await page.goto(`${origin}/account/security`);
    await page.locator('#password-codes').fill(PASSWORD);
    await page.getByRole('button', { name: 'Make new codes' }).click();
    await page.locator('ol.codes').waitFor();
    await page.goto(here);
    await required.check();
    await page.locator('#exceptions').fill('auditor@northwind.example');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(/done=sign_in/);
    assert.match(await page.innerText('#demand ~ .badge'), /Required/);
    assert.match(await page.innerText('main'), /The password form is not offered/);
    await page.locator('summary', { hasText: 'Take the mark away' }).click();
    await page.locator('details[open] button', { hasText: 'Take the mark away' }).click();
    await page.getByText('The last emergency admin cannot lose this').waitFor();
    await judge(page, 'security-last-emergency-admin', { expected: /409/ });
    // A member's password does not do any more; the emergency admin's does.
    const max = await chromium.open();
    await typePassword(max, world, MEMBER);
    await max.getByText('E-mail or password is not right').waitFor();
    await max.context().close();
    await page.goto(here);
    await page.locator('input[name=sso][value=optional]').check();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(/done=sign_in/);
    await page.context().close();
  });

  for (const appearance of appearancesOn(engine)) {
    scenario(`the pages about security are accessible: ${appearance.colorScheme} at ${appearance.width} px`, async ({ world }) => {
      const page = await chromium.open(appearance);
      const name = `${appearance.colorScheme}-${appearance.width}`;
      world.owner ??= await ownersCookies(world);
      await page.context().addCookies(world.owner);
      for (const [title, path] of [['login-and-security', '/console/northwind/sign-in'], ['account', '/account'], ['account-security', '/account/security'], ['passkeys', '/account/security/passkeys'], ['passkey-login', '/login/passkey']]) {
        await page.goto(world.installation.origin + path);
        await page.waitForLoadState('networkidle');
        await judge(page, `security-${title}-${name}`);
      }
      await page.context().close();
    });
  }
});

/** A virtual authenticator of the browser's own, with a finger that is always there. */
async function authenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return {
    credentials: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    verifies: (isUserVerified) => session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
  };
}

async function typePassword(page, world, email) {
  await page.goto(`${world.installation.origin}/login/password`);
  await page.locator('#email').fill(email);
  await page.locator('#password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function ownersCookies(world) {
  const page = await chromium.open();
  await typePassword(page, world, OWNER);
  await page.waitForURL(/\/account$/);
  const cookies = await page.context().cookies();
  await page.context().close();
  return cookies;
}

async function signOut(page, world) {
  await page.goto(`${world.installation.origin}/account`);
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click();
  await page.waitForURL(/\/logout$/);
}

async function providerSignIn(page, login) {
  await page.locator('input[name=login]').fill(login);
  await page.locator('input[name=password]').fill('pw');
  await page.keyboard.press('Enter');
}

/** What every page of ours must be; the picture is for a person to look at. */
async function judge(page, name, { expected } = {}) {
  await screenshot(page, name);
  assert.deepEqual(await accessibilityViolations(page), [], name);
  assert.ok(await sidewaysOverflow(page) <= 0, `${name} is wider than its window`);
  assert.ok(await page.title(), 'a title');
  assert.equal(await page.locator('h1').count(), 1, 'one main heading');
  const complaints = page.complaints.splice(0).filter((complaint) => !/status of (401|403|404|422)/.test(complaint) && !expected?.test(complaint));
  assert.deepEqual(complaints, [], name);
}
