// F1 with an OpenID provider: the address of its discovery document is pasted, a sign-in is tried, claims are read, accounts are
// chosen to come at sign-in, and people sign in. With oidc-provider, with scripts and without, in light and dark, wide and narrow.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { onEachEngine } from './lib/scenario.mjs';
import { appearancesOn, startChromium } from './partners/chromium.mjs';
import { IVO, KIM } from './worlds/setup.mjs';
import { oidcSetupWorld } from './worlds/setup-oidc.mjs';
import { judge, makeLink, signIn } from './worlds/setup-walk.mjs';

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

onEachEngine('set-up of an OpenID connection', oidcSetupWorld, (scenario, engine) => {
  for (const appearance of appearancesOn(engine)) {
    scenario(`f1 OpenID in the console: ${appearance.colorScheme} at ${appearance.width} px`, async ({ world }) => {
      const page = await chromium.open(appearance);
      await walk(page, world, world.console, `oidc-${appearance.colorScheme}-${appearance.width}`);
      await page.context().close();
    });
  }

  scenario('f1 OpenID in the portal, without scripts', async ({ world }) => {
    const olga = await chromium.open();
    await signIn(olga, world);
    const link = await makeLink(olga, world);
    const page = await chromium.open({ scripts: false });
    await page.goto(link);
    await walk(page, world, `${world.installation.origin}/setup`, 'oidc-plain', { scripts: false });
    await olga.context().close();
    await page.context().close();
  });
});

async function walk(page, world, base, name, { scripts = true } = {}) {
  const inPortal = base.endsWith('/setup');
  if (!inPortal) {
    await signIn(page, world);
    await page.goto(`${base}/connections/new`);
  }
  const look = (step) => (scripts ? judge(page, `setup-${step}-${name}`) : undefined);
  await page.locator('button[value="oidc.oidc"]').click();
  await page.waitForURL(/setup\/domain/);
  const id = page.url().match(/connections\/([^/]+)\/setup/)[1];
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/values/);
  const callback = `${world.installation.origin}/sso/${id}/oidc/callback`;
  assert.ok((await page.locator('section[aria-labelledby=ours]').innerText()).includes(callback), 'our redirect URI to copy');
  const client = { client_id: `provost-${id}`, client_secret: `secret-of-${id}-0123456789abcdef`, redirect_uris: [callback] };
  world.provider.register(client);
  await page.locator('#name').fill(`OpenID ${name}`);
  await page.locator('#issuer').fill(`${world.provider.issuer}/.well-known/openid-configuration`);
  await page.locator('#client_id').fill(client.client_id);
  await page.locator('#client_secret').fill(client.client_secret);
  await page.locator('input[name=groups_scope]').check();
  await look('values');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.waitForURL(/setup\/test/);

  // Nobody gets in through a draft.
  const early = await fetch(`${world.installation.origin}/sso/${id}/login`, { redirect: 'manual' });
  assert.equal(early.status, 403);
  const [tested] = await Promise.all([page.context().waitForEvent('page'), page.locator('form[target] button').click()]);
  await atTheProvider(tested, IVO);
  await tested.waitForURL(/setup\/test/);
  const claims = await tested.innerText('main');
  for (const part of [IVO.email, 'given_name', 'email_verified', 'staff']) assert.ok(claims.includes(part), `${part}: ${claims}`);
  await tested.close();
  await page.reload();
  await look('test-after');
  await page.getByRole('link', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/mode/);
  await page.locator('input[value=jit]').check();
  await look('mode');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/policy/);
  await page.locator('#role').selectOption('Member');
  await page.locator('button[name=try]').click();
  await page.waitForLoadState();
  assert.match(await page.innerText('main'), /Member/);
  await look('policy');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/review/);
  await look('review');
  await page.getByRole('button', { name: 'Go live' }).click();
  await page.waitForURL(inPortal ? /\/setup$/ : /done=live/);
  await look('live');

  // Somebody else, for whom nobody has made an account.
  const who = await chromium.open({ scripts });
  const user = `kim-${id}`;
  world.provider.users[user] = { ...world.provider.users[KIM.user], claims: { ...world.provider.users[KIM.user].claims, email: `${user.toLowerCase()}@contoso.example` } };
  await who.goto(`${world.installation.origin}/sso/${id}/login`);
  await atTheProvider(who, { ...KIM, user });
  await who.waitForURL(/\/account/);
  assert.match(await who.innerText('main'), /Contoso/);
  assert.match(await who.innerText('main'), /Member/);
  await who.context().close();
}

async function atTheProvider(page, who) {
  await page.locator('input[name=login]').fill(who.user);
  await page.locator('input[name=password]').fill(who.password);
  await page.locator('input[name=password]').press('Enter');
}
