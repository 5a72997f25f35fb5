// Apps that nobody here wrote against our OpenID provider: openid-client and mod_auth_openidc.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { claimsOf } from './partners/apache-app.mjs';
import { appsWorld, signIn } from './worlds/apps.mjs';

onEachEngine('apps against the OpenID provider', appsWorld, (scenario) => {
  for (const [app, method] of [['portal', 'client_secret_basic'], ['wiki', 'client_secret_post'], ['signer', 'private_key_jwt'], ['native', 'none']]) {
    scenario(`an app that authenticates with ${method} gets the promised claims`, async ({ world, browser }) => {
      const page = await signIn(world, browser(), { app });
      assert.equal(page.json?.app, `${app}-app`, page.words);
      const { claims } = page.json;
      assert.equal(claims.iss, world.installation.origin);
      assert.equal(claims.email, 'ann@north.example');
      assert.equal(claims.name, 'ann of north');
      assert.equal(claims.organization, 'north');
      assert.equal(claims.connection, 'north');
      assert.equal(claims.account_kind, 'user');
      assert.deepEqual(claims.organizations.map(({ id, roles }) => ({ id, roles })), [{ id: 'north', roles: ['admin'] }]);
      assert.deepEqual([...claims.organizations[0].workspaces].sort(), ['lab', 'main']);
      for (const name of ['sub', 'sid', 'amr', 'auth_time', 'exp', 'iat']) assert.ok(claims[name], `claim ${name}`);
    });
  }

  scenario('userinfo says the same as the ID token', async ({ world, browser }) => {
    const { portal } = world.apps;
    const session = portal.sessionOf(await signIn(world, browser()));
    const userinfo = await portal.userinfo(session);
    for (const name of ['sub', 'email', 'name', 'organization']) assert.equal(userinfo[name], session.claims[name], name);
    assert.deepEqual(userinfo.organizations, session.claims.organizations);
  });

  scenario('a refresh token turns at each use, and an old one ends the whole family', async ({ world, browser }) => {
    const { portal } = world.apps;
    const session = portal.sessionOf(await signIn(world, browser()));
    const first = await portal.refresh(session);
    assert.notEqual(first.refresh_token, session.tokens.refresh_token);
    const second = await portal.refresh({ tokens: first });
    assert.notEqual(second.refresh_token, first.refresh_token);
    await assert.rejects(portal.refresh(session), { error: 'invalid_grant' });
    await assert.rejects(portal.refresh({ tokens: second }), { error: 'invalid_grant' }, 'the family is over');
  });

  scenario('introspection tells a live token from a revoked one', async ({ world, browser }) => {
    const { portal } = world.apps;
    const session = portal.sessionOf(await signIn(world, browser()));
    const live = await portal.introspect(session.tokens.refresh_token);
    assert.equal(live.active, true);
    assert.equal(live.sub, session.claims.sub);
    assert.equal((await portal.introspect(session.tokens.access_token)).active, true);
    await portal.revoke(session.tokens.refresh_token);
    assert.equal((await portal.introspect(session.tokens.refresh_token)).active, false);
    await assert.rejects(portal.refresh(session), { error: 'invalid_grant' });
    assert.equal((await portal.introspect('no-such-token')).active, false);
  });

  scenario("an app cannot look into another app's tokens", async ({ world, browser }) => {
    const session = world.apps.portal.sessionOf(await signIn(world, browser()));
    assert.equal((await world.apps.wiki.introspect(session.tokens.refresh_token)).active, false);
    await world.apps.wiki.revoke(session.tokens.refresh_token).catch(() => {});
    assert.equal((await world.apps.portal.introspect(session.tokens.refresh_token)).active, true);
  });

  scenario('r06 a second app opens without asking again', async ({ world, browser }) => {
    const visitor = browser();
    const portal = await signIn(world, visitor);
    const wiki = await visitor.open(world.apps.wiki.loginUrl());
    assert.equal(wiki.json?.app, 'wiki-app', wiki.words);
    assert.equal(wiki.json.claims.sub, portal.json.claims.sub);
    const apache = await visitor.open(world.apache.page);
    assert.equal(claimsOf(apache).sub, portal.json.claims.sub, `${apache.words}\n${world.apache.program.tail()}`);
  });

  scenario('mod_auth_openidc signs in and lets people in by organization', async ({ world, browser }) => {
    const visitor = browser();
    const login = await visitor.open(world.apache.page);
    assert.equal(login.url.origin, world.installation.origin, 'it is ours to ask who this is');
    const atProvider = await visitor.submit(login, login.forms[0], { [login.forms[0].fieldOfType('email')]: 'bob@south.example' });
    const page = await visitor.signIn(atProvider, { user: 'bob-south', password: 'pw' });
    assert.equal(claimsOf(page).email, 'bob@south.example', `${page.words}\n${world.apache.program.tail()}`);
    assert.equal(claimsOf(page).organization, 'south');
    assert.equal((await visitor.open(world.apache.pageFor('south'))).status, 200);
    assert.equal((await visitor.open(world.apache.pageFor('north'))).status, 401);
  });

  scenario('r119 signing out of one app comes back to it and reaches the others over the back channel', async ({ world, browser }) => {
    const visitor = browser();
    const { portal, wiki } = world.apps;
    await signIn(world, visitor, { who: 'bob' });
    const opened = await visitor.open(wiki.loginUrl());
    assert.equal((await visitor.open(world.apache.page)).status, 200);
    const bye = await visitor.open(`${portal.origin}/logout`);
    assert.equal(`${bye.url.origin}${bye.url.pathname}`, portal.loggedOutUri, bye.words);
    assert.equal(bye.url.searchParams.get('state'), 'bye');
    const token = await eventually('the wiki gets a logout token', () => wiki.logouts.find(({ payload }) => payload.sid === opened.json.claims.sid));
    assert.equal(token.problem, undefined);
    assert.equal((await visitor.open(`${wiki.origin}/me`)).status, 401);
    await eventually('Apache asks for a new sign-in', async () => (await visitor.fetch(world.apache.page)).status === 302);
    await assert.rejects(wiki.refresh(wiki.sessionOf(opened)), { error: 'invalid_grant' }, 'refresh tokens die with the session');
  });

  scenario('signing out of Apache ends the session for all', async ({ world, browser }) => {
    const visitor = browser();
    const page = await signIn(world, visitor);
    await visitor.open(world.apache.page);
    const bye = await visitor.open(world.apache.logoutUrl);
    assert.equal(bye.title, 'Goodbye', `${bye.url} ${bye.words}`);
    await eventually('the portal gets a logout token', () => world.apps.portal.logouts.some(({ payload }) => payload.sid === page.json.claims.sid));
  });

  scenario('prompt=none answers login_required without a session, and signs in with one', async ({ world, browser }) => {
    const visitor = browser();
    const refused = await visitor.open(world.apps.portal.loginUrl({ prompt: 'none' }));
    assert.match(refused.text, /login_required/);
    await signIn(world, visitor);
    const silent = await visitor.open(world.apps.portal.loginUrl({ prompt: 'none' }));
    assert.equal(silent.json?.app, 'portal-app', silent.words);
  });

  scenario('prompt=login asks again although there is a session', async ({ world, browser }) => {
    const visitor = browser();
    await signIn(world, visitor);
    const again = await visitor.open(world.apps.portal.loginUrl({ prompt: 'login', connection: 'north' }));
    assert.ok(again.forms.some((form) => form.fieldOfType('password')), `${again.url} ${again.text}`);
  });

  scenario('r05 a login_hint in a verified domain leads straight to its identity provider', async ({ world, browser }) => {
    const page = await browser().open(world.apps.portal.loginUrl({ login_hint: 'ann@south.example' }));
    assert.ok(page.url.href.startsWith(world.provider.issuer), page.url.href);
  });

  scenario('an organization that the person does not belong to is access_denied', async ({ world, browser }) => {
    const visitor = browser();
    await signIn(world, visitor);
    const page = await visitor.open(world.apps.portal.loginUrl({ organization: 'south', prompt: 'none' }));
    assert.match(page.text, /access_denied|login_required|interaction_required/);
    assert.equal(page.status, 500, 'the app shows the error that openid-client raised');
  });

  scenario('an app for one organization does not open for people of another', async ({ world, browser }) => {
    const page = await signIn(world, browser(), { app: 'wiki', organization: 'south' });
    assert.doesNotMatch(page.text, /"app":"wiki-app"/);
    assert.match(page.text, /access_denied|reference/i);
  });

  scenario('an unregistered redirect URI gets a page of ours, never a redirect', async ({ world, browser }) => {
    const url = new URL('/oauth2/authorize', world.installation.origin);
    url.search = new URLSearchParams({ client_id: 'portal-app', response_type: 'code', scope: 'openid', redirect_uri: `${world.apps.portal.redirectUri}/`, state: 's', code_challenge: 'a'.repeat(43), code_challenge_method: 'S256' });
    const page = await browser().open(url);
    assert.equal(page.url.origin, world.installation.origin);
    assert.equal(page.status, 400);
  });
});
