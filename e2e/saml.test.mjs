// Sign-in through simplesamlphp in every way of speaking SAML that it knows.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { assertRefused, referenceOn } from './lib/refusal.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { REFUSED_WAYS, samlWorld, signInThrough, WAYS } from './worlds/saml.mjs';

onEachEngine('SAML with simplesamlphp', samlWorld, (scenario) => {
  for (const id of Object.keys(WAYS)) {
    scenario(`r09 a person nobody knew signs in: ${id}`, async ({ world, browser }) => {
      const page = await signInThrough(world, browser(), id);
      assert.equal(page.json?.app, 'portal-app', page.words);
      const { claims } = page.json;
      assert.equal(claims.email, `ann@${id}.example`);
      assert.equal(claims.organization, id);
      assert.equal(claims.connection, id);
      assert.deepEqual(claims.organizations.map((each) => each.id), [id]);
      assert.deepEqual(claims.organizations[0].roles, ['admin']);
    });
  }

  for (const id of Object.keys(REFUSED_WAYS)) {
    scenario(`r30 no sign-in and no account: ${id}`, async ({ world, browser }) => {
      const page = await signInThrough(world, browser(), id);
      assertRefused(page, world);
    });
  }

  scenario('r85 an SSO configuration of SAML has SSO users of its own, who come in through it into the account that was added', async ({ world, browser }) => {
    const id = 'sha512';
    const { stdout } = await world.installation.cli(['api-key', 'create', '--label', 'r85']);
    const key = stdout.match(/pvk_\S+/)[0];
    const call = async (method, path, body) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const response = await fetch(`${world.installation.origin}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
      return { status: response.status, body: await response.json() };
    };
    const { body: configuration } = await call('GET', `/connections/${id}`);
    assert.deepEqual([configuration.protocol, configuration.enabled], ['saml', true]);
    const wanted = { email: `bob@${id}.example`, connection: id, memberships: [{ organization: id, roles: ['admin'] }] };
    const stranger = await call('POST', '/accounts', { ...wanted, email: 'bob@elsewhere.example' });
    assert.deepEqual([stranger.status, stranger.body.code], [422, 'domain_not_verified']);
    const { status, body: added } = await call('POST', '/accounts', wanted);
    assert.deepEqual([status, added.sso, added.connection, added.status], [201, true, id, 'invited'], JSON.stringify(added));
    const page = await signInThrough(world, browser(), id, 'bob');
    assert.equal(page.json?.claims.sub, added.id, page.words);
    assert.equal(page.json.claims.connection, id);
    const { body: arrived } = await call('GET', `/accounts/${added.id}`);
    assert.deepEqual([arrived.status, arrived.sso], ['active', true]);
    assert.ok(arrived.memberships[0].roles.some((role) => role.id === 'admin'), 'what was given beforehand is there');
  });

  scenario('r38 the second sign-in meets the same account', async ({ world, browser }) => {
    const first = await signInThrough(world, browser(), 'signed-both', 'bob');
    const second = await signInThrough(world, browser(), 'signed-both', 'bob');
    assert.ok(first.json.claims.sub);
    assert.equal(second.json.claims.sub, first.json.claims.sub);
    assert.notEqual(second.json.claims.sid, first.json.claims.sid);
    assert.deepEqual(first.json.claims.organizations[0].roles, ['member']);
  });

  scenario('c15 an e-mail outside the verified domains is refused with a reference', async ({ world, browser }) => {
    const page = await signInThrough(world, browser(), 'signed-both', 'eve');
    assertRefused(page, world);
  });

  scenario('r120 the reference of a refusal leads an administrator to the reason', async ({ world, browser }) => {
    const page = await signInThrough(world, browser(), 'nothing-signed', 'bob');
    const reference = referenceOn(page);
    const { stdout } = await world.installation.cli(['explain', reference]);
    assert.match(stdout, /sign/i);
  });

  scenario('r117 a sign-in that starts at the identity provider is refused unless the connection allows it', async ({ world, browser }) => {
    const visitor = browser();
    const login = await visitor.open(world.idp.startUrl(world.entityId('signed-both')));
    assertRefused(await visitor.signIn(login, { user: 'ann-signed-both', password: 'pw' }), world);
  });

  scenario('r117 a sign-in that starts at the identity provider lands in the allowed app', async ({ world, browser }) => {
    const visitor = browser();
    const login = await visitor.open(world.idp.startUrl(world.entityId('from-the-portal')));
    const page = await visitor.signIn(login, { user: 'ann-from-the-portal', password: 'pw' });
    assert.equal(page.json?.app, 'portal-app', page.words);
    assert.equal(page.json.claims.email, 'ann@from-the-portal.example');
  });

  scenario('r119 signing out of the app signs out of Provost and of the identity provider', async ({ world, browser }) => {
    const visitor = browser();
    await signInThrough(world, visitor, 'signed-both');
    const bye = await visitor.open(`${world.app.origin}/logout`);
    assert.equal(bye.title, 'Goodbye', `${bye.url} ${bye.words}`);
    assert.ok(visitor.hops.some((hop) => hop.url.pathname.endsWith('/SingleLogoutService.php')), visitor.story());
    const again = await visitor.open(world.app.loginUrl({ connection: 'signed-both' }));
    assert.ok(again.forms.some((form) => form.fieldOfType('password')), `still signed in: ${again.words}`);
  });

  scenario('r119 signing out at the identity provider ends the session and tells the app', async ({ world, browser }) => {
    const visitor = browser();
    const page = await signInThrough(world, visitor, 'signed-both', 'bob');
    const told = world.app.logouts.length;
    const done = await visitor.open(world.idp.logoutUrl);
    assert.equal(done.url.hostname, 'localhost', visitor.story());
    await eventually('the app gets a logout token', () => world.app.logouts.slice(told).some(({ payload }) => payload.sid === page.json.claims.sid));
    assert.deepEqual(world.app.logouts.slice(told).map(({ problem }) => problem), [undefined]);
    assert.equal((await visitor.open(`${world.app.origin}/me`)).status, 401);
    const account = await visitor.open(`${world.installation.origin}/account`);
    assert.doesNotMatch(account.words, /bob@signed-both/);
  });
});

onEachEngine('SAML key rollover with simplesamlphp', samlWorld, (scenario) => {
  scenario('an announced second certificate takes over without a pause', async ({ world, browser }) => {
    await signInThrough(world, browser(), 'signed-both');
    await world.idp.announceKey('second');
    await world.installation.apply(world.document);
    const between = await signInThrough(world, browser(), 'signed-both');
    assert.equal(between.json?.app, 'portal-app', between.words);
    world.idp.useNewestKey();
    const after = await signInThrough(world, browser(), 'signed-both');
    assert.equal(after.json?.app, 'portal-app', after.words);
  });

  scenario('a certificate that nobody announced is found by reading the metadata again', async ({ world, browser }) => {
    await world.idp.announceKey('third');
    world.idp.useNewestKey();
    const page = await signInThrough(world, browser(), 'signed-response');
    assert.equal(page.json?.app, 'portal-app', page.words);
  });
});
