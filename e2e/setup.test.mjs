// F1, connect an identity provider in ten minutes: in the console and by a set-up link, with a real SAML identity provider and a
// SCIM client on the other side, with scripts and without, in light and dark, wide and narrow.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { onEachEngine } from './lib/scenario.mjs';
import { accessibilityViolations, APPEARANCES, screenshot, sidewaysOverflow, startChromium } from './partners/chromium.mjs';
import { IVO, OWNER, PASSWORD, setupWorld } from './worlds/setup.mjs';

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

onEachEngine('set-up of a connection', setupWorld, (scenario) => {
  for (const where of ['console', 'portal']) {
    for (const appearance of APPEARANCES) {
      const look = `${appearance.colorScheme} at ${appearance.width} px`;
      scenario(`f1 from the first page to live in the ${where}: ${look}`, async ({ world }) => {
        const page = await chromium.open(appearance);
        await walk(page, world, where, `${where}-${appearance.colorScheme}-${appearance.width}`);
        await page.context().close();
      });
    }

    scenario(`f1 from the first page to live in the ${where}: without scripts`, async ({ world }) => {
      const page = await chromium.open({ scripts: false });
      await walk(page, world, where, `${where}-plain`, { scripts: false });
      await page.context().close();
    });
  }

  scenario('r181 a link is made, shown once, given a new address and revoked, and every page says so', async ({ world }) => {
    const olga = await chromium.open();
    await signIn(olga, world);
    const first = await makeLink(olga, world);
    await judge(olga, 'setup-links-made');
    await olga.goto(`${world.console}/setup-links`);
    assert.ok(!(await olga.content()).includes(first), 'the link is shown once');
    const ivo = await chromium.open({ colorScheme: 'dark', width: 360 });
    await ivo.goto(first);
    assert.ok(!ivo.url().includes('pvl_'), 'the token does not stay in the address');
    await olga.locator('tbody tr').first().getByRole('button', { name: /New address/ }).click();
    const second = await olga.locator('section[aria-labelledby=made] code').innerText();
    assert.notEqual(second, first);
    assert.equal((await ivo.goto(first)).status(), 403);
    await judge(ivo, 'setup-link-unknown', { expected: /403/ });
    assert.equal((await ivo.goto(second)).status(), 200);
    await olga.goto(`${world.console}/setup-links`);
    await olga.locator('tbody tr').first().getByRole('button', { name: /Revoke/ }).click();
    await olga.locator('tbody tr', { hasText: 'Revoked' }).first().waitFor();
    assert.equal((await ivo.reload()).status(), 410);
    await judge(ivo, 'setup-link-revoked', { expected: /403|410/ });
    await ivo.context().close();
    await olga.context().close();
  });

  scenario('what is wrong with the values stands at the form, and a draft is found again', async ({ world }) => {
    const page = await chromium.open();
    await signIn(page, world);
    await page.goto(`${world.console}/connections/new`);
    await page.locator('button[value="keycloak.saml"]').click();
    await page.waitForURL(/setup\/domain/);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('#metadata_url').fill(`${world.installation.origin}/healthz`);
    await page.getByRole('button', { name: 'Save and continue' }).click();
    await page.locator('#problem').waitFor();
    assert.match(await page.innerText('#problem'), /Address of the metadata/);
    await judge(page, 'setup-values-wrong', { expected: /422/ });
    await page.goto(`${world.console}/connections`);
    await judge(page, 'setup-connections-with-draft', { expected: /422/ });
    await page.getByRole('link', { name: /Go on/ }).first().click();
    await page.waitForURL(/setup\/values/);
    await page.context().close();
  });

  scenario('the tabs that change a connection: claims, provisioning, more', async ({ world }) => {
    const page = await chromium.open();
    await signIn(page, world);
    await page.goto(`${world.console}/connections`);
    const href = await page.locator('.card', { hasText: 'Live' }).first().locator('h2 a').getAttribute('href');
    for (const appearance of APPEARANCES) {
      const other = await chromium.open(appearance);
      await signIn(other, world);
      for (const tab of ['claims', 'provisioning', 'more']) {
        await other.goto(`${world.installation.origin}${href}/${tab}`);
        await judge(other, `connection-${tab}-${appearance.colorScheme}-${appearance.width}`);
      }
      await other.context().close();
    }
    await page.goto(`${world.installation.origin}${href}/claims`);
    await page.locator('#given_name').fill('surname');
    await page.locator('#read dd', { hasText: 'Lund' }).nth(1).waitFor();
    await page.context().close();
  });
});

/** Walks every step; ends with a person who signs in through what was set up. */
async function walk(page, world, where, name, { scripts = true } = {}) {
  let base = world.console;
  if (where === 'portal') {
    const olga = await chromium.open();
    await signIn(olga, world);
    const link = await makeLink(olga, world);
    await olga.context().close();
    base = `${world.installation.origin}/setup`;
    await page.goto(link);
    await page.waitForURL(/\/setup\/connections\/new/);
  } else {
    await signIn(page, world);
    await page.goto(`${base}/connections/new`);
  }
  const look = (step) => (scripts ? judge(page, `setup-${step}-${name}`) : undefined);
  await look('choose');
  await page.locator('button[value="okta.saml"]').click();
  await page.waitForURL(/setup\/domain/);
  const id = page.url().match(/connections\/([^/]+)\/setup/)[1];
  await look('domain');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/values/);
  await look('values');
  await page.locator('#name').fill(`Contoso ${name}`);
  await page.locator('#metadata_url').fill(world.idp.metadataUrl);
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.waitForURL(/setup\/test/);
  await look('test-before');

  // Nobody gets in through a draft.
  const early = await fetch(`${world.installation.origin}/sso/${id}/login`, { redirect: 'manual' });
  assert.equal(early.status, 403);
  const metadata = await fetch(`${world.installation.origin}/sso/${id}/saml/metadata`);
  await world.idp.trust(id, await metadata.text(), {});

  const [tested] = await Promise.all([
    page.context().waitForEvent('page'),
    page.locator('form[target] button').click(),
  ]);
  await atTheProvider(tested, scripts);
  await tested.waitForURL(/setup\/test/);
  assert.match(await tested.innerText('main'), /ivo@contoso\.example/);
  await tested.close();
  await page.reload();
  await look('test-after');
  await page.getByRole('link', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/mode/);
  assert.ok(await page.locator('input[value=scim]').isChecked(), 'SCIM is preselected (R-12)');
  await look('mode');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/scim/);
  await page.getByRole('button', { name: 'Make token' }).click();
  const token = await page.locator('.notice code').innerText();
  const address = await page.locator('section[aria-labelledby=addresses] code').first().innerText();
  await look('scim-waiting');
  assert.equal(await page.locator('[data-done]').count(), 0);
  assert.equal((await scim(address, token, 'GET', 'Users?filter=userName%20eq%20%22nobody%22')).status, 200);
  assert.equal((await scim(address, token, 'POST', 'Users', pushed())).status, 403, 'a draft takes no changes');
  if (scripts) {
    await page.locator('[data-done]').waitFor();
    await look('scim-heard');
  } else {
    await until(async () => {
      await page.goto(page.url());
      return (await page.locator('[data-done]').count()) > 0;
    });
  }
  await page.locator('form.actions button', { hasText: 'Continue' }).click();
  await page.waitForURL(/setup\/policy/);
  await page.locator('#role').selectOption('Member');
  await page.locator('button[name=try]').click();
  await look('policy');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/review/);
  await look('review');
  await page.getByRole('button', { name: 'Go live' }).click();
  if (where === 'portal') {
    await page.waitForURL(/\/setup$/);
    assert.match(await page.innerText('main'), /Everything is set up/);
    await look('done');
  } else {
    await page.waitForURL(/done=live/);
    assert.match(await page.innerText('main'), /The connection is live/);
    await look('live');
  }
  assert.equal((await scim(address, token, 'POST', 'Users', pushed())).status, 201);
  const ivo = await chromium.open({ scripts });
  await ivo.goto(`${world.installation.origin}/sso/${id}/login`);
  await atTheProvider(ivo, scripts);
  await ivo.waitForURL(/\/account/);
  await ivo.context().close();
}

/** Signs in at the identity provider and comes back. */
async function atTheProvider(page, scripts) {
  await page.locator('input[name=username]').fill(IVO.user);
  await page.locator('input[name=password]').fill(IVO.password);
  await page.locator('input[name=password]').press('Enter');
  if (!scripts) await page.locator('form[action*="/saml/acs"] button[type=submit]').click();
}

const pushed = () => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
  userName: IVO.email,
  name: { givenName: 'Ivo', familyName: 'Lund' },
  emails: [{ value: IVO.email, primary: true }],
  active: true,
});

function scim(address, token, method, path, body) {
  return fetch(`${address}/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    body: body && JSON.stringify(body),
  });
}

async function makeLink(page, world) {
  await page.goto(`${world.console}/setup-links`);
  await page.locator('#label').fill('Ivo');
  await page.getByRole('button', { name: 'Make link' }).click();
  return page.locator('section[aria-labelledby=made] code').innerText();
}

/** Signs in once: guessing passwords is slowed down, and so would be a suite that signs in for each test. */
async function signIn(page, world) {
  if (!world.cookies) {
    await page.goto(`${world.installation.origin}/login/password`);
    await page.locator('#email').fill(OWNER);
    await page.locator('#password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/account/);
    // Not the browser's own secret: without https it is sent along from the provider's site only while it is new.
    world.cookies = (await page.context().cookies()).filter((each) => !each.name.includes('browser'));
    await page.context().clearCookies();
  }
  await page.context().addCookies(world.cookies);
}

async function until(holds) {
  for (let round = 0; round < 60; round++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail('it did not come to be');
}

async function judge(page, name, { expected } = {}) {
  await screenshot(page, name);
  assert.deepEqual(await accessibilityViolations(page), [], name);
  assert.ok(await sidewaysOverflow(page) <= 0, `${name} is wider than its window`);
  assert.equal(await page.locator('h1').count(), 1, 'one main heading');
  assert.deepEqual(page.complaints.filter((complaint) => !expected?.test(complaint)), [], name);
}
