// The partners against each other, without the product: when this fails, the harness is broken and nothing else counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser } from './lib/browser.mjs';
import { eventually } from './lib/process.mjs';
import { claimsOf, reserveApacheApp, startApacheApp } from './partners/apache-app.mjs';
import { startOpenidApp } from './partners/openid-app.mjs';
import { startOpenidProvider } from './partners/openid-provider.mjs';

const users = { ann: { password: 'pw', claims: { email: 'ann@home-lab.example', email_verified: true, name: 'Ann Ek', groups: ['admin'] } } };

async function appAndProvider(t, clientMetadata = {}) {
  const app = await startOpenidApp({ clientId: 'app', clientSecret: 'a secret: with+odd/characters' });
  t.after(() => app.stop());
  const provider = await startOpenidProvider({
    users,
    clients: [{
      client_id: app.clientId,
      client_secret: app.clientSecret,
      redirect_uris: [app.redirectUri],
      post_logout_redirect_uris: [app.loggedOutUri],
      backchannel_logout_uri: app.backchannelLogoutUri,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code', 'refresh_token'],
      ...clientMetadata,
    }],
  });
  t.after(() => provider.stop());
  await app.discover(provider.issuer);
  return { app, provider };
}

for (const algorithm of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
  test(`openid-client signs in at oidc-provider with ${algorithm}`, async (t) => {
    const { app } = await appAndProvider(t, { id_token_signed_response_alg: algorithm });
    const browser = new Browser();
    const login = await browser.open(app.loginUrl());
    const page = await browser.signIn(login, { user: 'ann', password: 'pw' });
    assert.equal(page.json.claims.sub, 'ann', browser.story());
    assert.equal(page.json.claims.email, 'ann@home-lab.example');
  });
}

test('a wrong password stays at the login page', async (t) => {
  const { app } = await appAndProvider(t);
  const browser = new Browser();
  const page = await browser.signIn(await browser.open(app.loginUrl()), { user: 'ann', password: 'wrong' });
  assert.match(page.words, /Wrong name or password/);
});

test('logout at oidc-provider reaches the app over the back channel', async (t) => {
  const { app, provider } = await appAndProvider(t);
  const browser = new Browser();
  const page = await browser.signIn(await browser.open(app.loginUrl()), { user: 'ann', password: 'pw' });
  const bye = await browser.open(provider.logoutUrl);
  assert.equal(bye.title, 'Signed out', browser.story());
  await eventually('the logout token arrives', () => app.logouts.length > 0);
  assert.equal(app.logouts[0].problem, undefined);
  assert.equal((await browser.fetch(`${app.origin}/me`)).status, 401);
  assert.equal(app.sessionOf(page).ended, true);
  assert.deepEqual(provider.failures, []);
});

test('mod_auth_openidc signs in at oidc-provider and is signed out over the back channel', async (t) => {
  const app = await reserveApacheApp({ clientId: 'apache-app', clientSecret: 'apache-secret-0123456789' });
  const provider = await startOpenidProvider({
    users,
    clients: [{
      client_id: app.clientId,
      client_secret: app.clientSecret,
      redirect_uris: [app.redirectUri],
      post_logout_redirect_uris: [app.loggedOutUri],
      backchannel_logout_uri: app.backchannelLogoutUri,
    }],
  });
  t.after(() => provider.stop());
  const apache = await startApacheApp(app, provider.issuer);
  t.after(() => apache.stop());
  const browser = new Browser();
  const page = await browser.signIn(await browser.open(app.page), { user: 'ann', password: 'pw' });
  assert.equal(claimsOf(page).email, 'ann@home-lab.example', `${browser.story()}\n${page.text}\n${apache.program.tail()}`);

  await browser.open(provider.logoutUrl);
  await eventually('the app asks for a new sign-in', async () => (await browser.fetch(app.page)).status === 302);
  assert.deepEqual(provider.failures, []);
});
