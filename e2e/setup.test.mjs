// F1, connect an identity provider in ten minutes: in the console and by a set-up link, with a real SAML identity provider and a
// real SCIM client (scim2-client) on the other side, with scripts and without, in light and dark, wide and narrow.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { onEachEngine } from './lib/scenario.mjs';
import { appearancesOn, startChromium } from './partners/chromium.mjs';
import { runScript } from './partners/python.mjs';
import { IVO, KIM, LOU, setupWorld } from './worlds/setup.mjs';
import { judge, makeLink, signIn, until } from './worlds/setup-walk.mjs';

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

onEachEngine('set-up of a connection', setupWorld, (scenario, engine) => {
  for (const where of ['console', 'portal']) {
    for (const appearance of appearancesOn(engine)) {
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

  for (const [how, who] of [['document', KIM], ['fields', LOU]]) {
    scenario(`r182 metadata given as ${how} are proved by a sign-in`, async ({ world }) => {
      const page = await chromium.open();
      await signIn(page, world);
      const id = await toValues(page, world);
      await giveMetadata(page, world, how);
      await page.getByRole('button', { name: 'Save and continue' }).click();
      await page.waitForURL(/setup\/test/);
      const metadata = await fetch(`${world.installation.origin}/sso/${id}/saml/metadata`);
      await world.idp.trust(id, await metadata.text(), {});
      const [tested] = await Promise.all([page.context().waitForEvent('page'), page.locator('form[target] button').click()]);
      await atTheProvider(tested, who);
      await tested.waitForURL(/setup\/test/);
      assert.match(await tested.innerText('main'), new RegExp(who.email.replaceAll('.', '\\.')));
      await tested.close();
      await page.goto(page.url().replace(/test$/, 'mode'));
      await page.locator('input[value=jit]').check();
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.waitForURL(/setup\/policy/);
      await page.locator('#role').selectOption('Member');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.waitForURL(/setup\/review/);
      await page.getByRole('button', { name: 'Go live' }).click();
      await page.waitForURL(/done=live/);
      const person = await chromium.open();
      await person.goto(`${world.installation.origin}/sso/${id}/login`);
      await atTheProvider(person, who);
      await person.waitForURL(/\/account/);
      assert.match(await person.innerText('main'), /Member/);
      await person.context().close();
      await page.context().close();
    });
  }

  scenario('page map 17: a colleague is asked, gets the step, and is taken back', async ({ world }) => {
    const olga = await chromium.open();
    await signIn(olga, world);
    const link = await makeLink(olga, world);
    await olga.context().close();
    const ivo = await chromium.open();
    await ivo.goto(link);
    await ivo.locator('button[value="okta.saml"]').click();
    await ivo.waitForURL(/setup\/domain/);
    await ivo.goto(ivo.url().replace(/domain$/, 'values'));
    const step = ivo.url();
    for (const appearance of appearancesOn(engine)) {
      const page = await chromium.open(appearance);
      await page.context().addCookies(await ivo.context().cookies());
      await page.goto(step);
      await page.getByRole('link', { name: 'Ask a colleague' }).click();
      await judge(page, `setup-colleague-${appearance.colorScheme}-${appearance.width}`);
      await page.context().close();
    }
    await ivo.getByRole('link', { name: 'Ask a colleague' }).click();
    await ivo.locator('#label').fill('Kim');
    await ivo.getByRole('button', { name: 'Make link' }).click();
    const address = await ivo.locator('section[aria-labelledby=made] code').innerText();
    await judge(ivo, 'setup-colleague-made');
    const kim = await chromium.open({ colorScheme: 'dark', width: 360 });
    await kim.goto(address);
    assert.equal(kim.url(), step);
    await judge(kim, 'setup-colleague-step');
    assert.equal(await kim.getByRole('link', { name: 'Ask a colleague' }).count(), 0);
    await ivo.getByRole('button', { name: /Revoke/ }).click();
    await ivo.locator('tbody tr', { hasText: 'Revoked' }).waitFor();
    assert.equal((await kim.reload()).status(), 410);
    await kim.context().close();
    await ivo.context().close();
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
    for (const appearance of appearancesOn(engine)) {
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

/** Begins a set-up with any SAML product and goes to the form for its values; returns the connection. */
async function toValues(page, world) {
  await page.goto(`${world.console}/connections/new`);
  await page.locator('button[value="saml.saml"]').click();
  await page.waitForURL(/setup\/domain/);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/values/);
  return page.url().match(/connections\/([^/]+)\/setup/)[1];
}

/** Fills in what an identity provider's page shows, as a person copies it. */
async function giveMetadata(page, world, how) {
  const metadata = await world.idp.metadata();
  await page.locator(`input[name=how][value=${how}]`).check();
  if (how === 'document') return page.locator('#metadata').fill(metadata);
  const [, certificate] = metadata.match(/X509Certificate>([^<]+)</);
  const [tag] = metadata.match(/<[^<]*SingleSignOnService[^>]*HTTP-Redirect[^>]*>/);
  await page.locator('#entity_id').fill(world.idp.entityId);
  await page.locator('#sso_url').fill(tag.match(/Location="([^"]+)"/)[1]);
  await page.locator('#certificates').fill(certificate);
}

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
  assert.match(await page.innerText('main'), /Sign-in URL[\s\S]*Certificate until\s*\d{4}-/, 'what the metadata said is shown');
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
  await atTheProvider(tested, IVO, scripts);
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
  assert.equal((await directory(address, token, { act: 'find', filter_: 'userName eq "nobody"' })).total, 0);
  assert.equal((await push(address, token)).status, 403, 'a draft takes no changes');
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
  const joined = await directory(address, token, { act: 'join', person: pushed(), groups: [] });
  assert.equal(joined.userName, IVO.email);
  const ivo = await chromium.open({ scripts });
  await ivo.goto(`${world.installation.origin}/sso/${id}/login`);
  await atTheProvider(ivo, IVO, scripts);
  await ivo.waitForURL(/\/account/);
  await ivo.context().close();
}

/** Signs in at the identity provider and comes back. */
async function atTheProvider(page, who, scripts = true) {
  await page.locator('input[name=username]').fill(who.user);
  await page.locator('input[name=password]').fill(who.password);
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

/** One act of the customer's directory, done with scim2-client. */
const directory = (address, token, act) => runScript('scim/lifecycle.py', [address, JSON.stringify(act)], { env: { SCIM_TOKEN: token } });

/** A push without a library, for what a library would not send twice. */
function push(address, token) {
  return fetch(`${address}/Users`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    body: JSON.stringify(pushed()),
  });
}
