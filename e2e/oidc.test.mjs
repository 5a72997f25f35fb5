// Sign-in through oidc-provider, with every client authentication and signing algorithm that it knows.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { assertRefused } from './lib/refusal.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { oidcWorld, signInThrough, WAYS } from './worlds/oidc.mjs';

onEachEngine('OpenID Connect with oidc-provider', oidcWorld, (scenario) => {
  for (const [id, way] of Object.entries(WAYS)) {
    scenario(`r09 a person nobody knew signs in: ${id} (${way.method}, ${way.algorithm})`, async ({ world, browser }) => {
      const page = await signInThrough(world, browser(), id);
      assert.equal(page.json?.app, 'portal-app', page.words);
      const { claims } = page.json;
      assert.equal(claims.email, `ann@${id}.example`);
      assert.equal(claims.name, 'Ann Ek');
      assert.equal(claims.organization, id);
      assert.equal(claims.connection, id);
      assert.deepEqual(claims.organizations[0].roles, ['admin']);
    });
  }

  scenario('r38 the second sign-in meets the same account, with the roles of its groups now', async ({ world, browser }) => {
    const first = await signInThrough(world, browser(), 'basic-rs256', 'bob');
    assert.deepEqual(first.json.claims.organizations[0].roles, ['member']);
    world.provider.users['bob-basic-rs256'].claims.groups = ['admins'];
    const second = await signInThrough(world, browser(), 'basic-rs256', 'bob');
    assert.equal(second.json.claims.sub, first.json.claims.sub);
    assert.deepEqual(second.json.claims.organizations[0].roles, ['admin']);
  });

  scenario('c15 an e-mail outside the verified domains is refused with a reference', async ({ world, browser }) => {
    assertRefused(await signInThrough(world, browser(), 'basic-rs256', 'eve'), world);
  });

  scenario('an unverified e-mail never opens the account that has it', async ({ world, browser }) => {
    const page = await signInThrough(world, browser(), 'basic-rs256', 'carol');
    const claims = page.headers.get('content-type')?.includes('json') ? page.json.claims : undefined;
    // Carol's own account is an administrator; whoever came in here must not be one.
    assert.notDeepEqual(claims?.organizations?.[0]?.roles, ['admin']);
  });

  scenario('a logout token from the provider ends the session and reaches the app', async ({ world, browser }) => {
    const visitor = browser();
    const page = await signInThrough(world, visitor, 'key-es256');
    const told = world.app.logouts.length;
    await visitor.open(world.provider.logoutUrl);
    await eventually('the app gets a logout token', () => world.app.logouts.slice(told).some(({ payload }) => payload.sid === page.json.claims.sid));
    assert.deepEqual(world.provider.failures, []);
    assert.equal((await visitor.open(`${world.app.origin}/me`)).status, 401);
    const account = await visitor.open(`${world.installation.origin}/account`);
    assert.doesNotMatch(account.words, /ann@key-es256/);
  });

  scenario('r119 signing out of the app goes on to the provider when the connection says so', async ({ world, browser }) => {
    const visitor = browser();
    await signInThrough(world, visitor, 'signs-out');
    const bye = await visitor.open(`${world.app.origin}/logout`);
    assert.ok(visitor.hops.some((hop) => hop.url.href.startsWith(world.provider.logoutUrl)), visitor.story());
    assert.equal(bye.title, 'Goodbye', `${bye.url} ${bye.words}`);
    const again = await visitor.open(world.app.loginUrl({ connection: 'signs-out' }));
    assert.ok(again.forms.some((form) => form.fieldOfType('password')), `still signed in: ${again.words}`);
  });

  scenario('r119 signing out of the app leaves the provider alone otherwise', async ({ world, browser }) => {
    const visitor = browser();
    await signInThrough(world, visitor, 'basic-rs256');
    const bye = await visitor.open(`${world.app.origin}/logout`);
    assert.equal(bye.title, 'Goodbye', `${bye.url} ${bye.words}`);
    const again = await visitor.open(world.app.loginUrl({ connection: 'basic-rs256' }));
    assert.equal(again.json?.app, 'portal-app', 'the provider still knows her, so no form is shown');
  });

  // Last, because the provider forgets its sessions.
  scenario('the provider turns its keys and sign-in recovers by itself', async ({ world, browser, engine, t }) => {
    if (engine !== 'sqlite') return t.skip('takes a minute and does not touch the database: once is enough');
    await world.provider.turnKeys('second');
    // Keys are fetched at most once a minute, so that tokens with invented key ids cannot make us hammer a provider.
    await eventually('a sign-in with the new keys', async () => {
      const page = await signInThrough(world, browser(), 'basic-rs256');
      return page.headers.get('content-type')?.includes('json') && page.json.app === 'portal-app';
    }, { timeoutMs: 75_000, everyMs: 4_000 });
  });
});
