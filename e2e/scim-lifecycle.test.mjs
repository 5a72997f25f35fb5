// Joiner, mover, leaver: pushed by scim2-client, signed in through oidc-provider, seen by an app. One account all the time.
import assert from 'node:assert/strict';
import { assertRefused } from './lib/refusal.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { JOIN_KEYS, lifecycleWorld, signInAs } from './worlds/lifecycle.mjs';

const rolesOf = (page) => page.json?.claims.organizations[0]?.roles;

onEachEngine('SCIM lifecycle', lifecycleWorld, (scenario) => {
  for (const id of Object.keys(JOIN_KEYS)) {
    scenario(`r131 ${id}: the pushed person and the one who signs in are one account, with the roles of the pushed groups`, async ({ world, browser }) => {
      const pushed = await world.push(id, { act: 'join', person: world.person(id, 'ann'), groups: ['admins', 'staff'] });
      assert.deepEqual(pushed.groups.map(({ display }) => display).sort(), ['admins', 'staff']);
      const page = await signInAs(world, browser(), id, 'ann');
      assert.equal(page.json?.app, 'portal-app', page.words);
      assert.equal(page.json.claims.email, `ann@${id}.example`);
      assert.deepEqual(rolesOf(page), ['admin']);
      // The account that the push made, and not a second one beside it.
      assert.equal((await signInAs(world, browser(), id, 'ann')).json.claims.sub, page.json.claims.sub);
      const { stdout } = await world.installation.cli(['explain', '--account', page.json.claims.sub]);
      assert.match(stdout, new RegExp(`pushed by the directory of ${id}`));
      assert.deepEqual(await world.push(id, { act: 'find', filter_: `emails.value eq "ANN@${id}.example"` }), { total: 1, ids: [pushed.id] });
    });
  }

  const id = 'by-user-name';

  scenario('c02 nobody signs in who was not pushed, and no account comes into being', async ({ world, browser }) => {
    assertRefused(await signInAs(world, browser(), id, 'never-pushed'), world);
    assert.deepEqual(await world.push(id, { act: 'find', filter_: `userName eq "never-pushed@${id}.example"` }), { total: 0, ids: [] });
  });

  scenario('r69 a mover changes role with the groups, without a sign-in of their own, and keeps it at the next one', async ({ world, browser }) => {
    const pushed = await world.push(id, { act: 'join', person: world.person(id, 'bob'), groups: ['staff'] });
    assert.deepEqual(rolesOf(await signInAs(world, browser(), id, 'bob')), ['member']);
    await world.push(id, { act: 'move', user: pushed.id, leave: ['staff'], enter: ['admins'] });
    assert.deepEqual(rolesOf(await signInAs(world, browser(), id, 'bob')), ['admin']);
    await world.push(id, { act: 'move', user: pushed.id, leave: ['admins'], enter: ['staff'] });
    assert.deepEqual(rolesOf(await signInAs(world, browser(), id, 'bob')), ['member']);
    const renamed = await world.push(id, { act: 'rename', user: pushed.id, family: 'Lund' });
    assert.equal(renamed.name.familyName, 'Lund');
  });

  scenario('r167 r168 a leaver is out at once everywhere, and signing in again brings nobody back', async ({ world, browser }) => {
    const pushed = await world.push(id, { act: 'join', person: world.person(id, 'cy'), groups: ['staff'] });
    const visitor = browser();
    const page = await signInAs(world, visitor, id, 'cy');
    const session = world.app.sessionOf(page);
    const account = await visitor.open(`${world.installation.origin}/account`);
    assert.match(account.words, /cy@by-user-name/);

    const left = await world.push(id, { act: 'set_active', user: pushed.id, active: false });
    assert.equal(left.active, false);
    // The session here, the app's tokens, and the next sign-in.
    assert.doesNotMatch((await visitor.open(`${world.installation.origin}/account`)).words, /cy@by-user-name/);
    const userinfo = await fetch(`${world.installation.origin}/oauth2/userinfo`, { headers: { authorization: `Bearer ${session.tokens.access_token}` } });
    assert.equal(userinfo.status, 401, await userinfo.text());
    await assert.rejects(world.app.refresh(session), ({ cause }) => cause?.error === 'invalid_grant');
    assertRefused(await signInAs(world, browser(), id, 'cy'), world);
    assert.deepEqual(await world.push(id, { act: 'find', filter_: `userName eq "cy@${id}.example"` }), { total: 1, ids: [pushed.id] });

    // Coming back is the directory's act, and meets the same account.
    const back = await world.push(id, { act: 'set_active', user: pushed.id, active: true });
    assert.equal(back.active, true);
    const again = await signInAs(world, browser(), id, 'cy');
    assert.equal(again.json?.claims.sub, page.json.claims.sub, again.words);
    assert.deepEqual(rolesOf(again), ['member']);
  });

  scenario('r10 r132 a deleted person is gone for the directory and for sign-in; pushed again, the same account returns', async ({ world, browser }) => {
    const pushed = await world.push(id, { act: 'join', person: world.person(id, 'dee'), groups: ['staff'] });
    const first = await signInAs(world, browser(), id, 'dee');
    assert.equal(first.json?.app, 'portal-app', first.words);
    await world.push(id, { act: 'delete', user: pushed.id });
    assert.deepEqual(await world.push(id, { act: 'find', filter_: `userName eq "dee@${id}.example"` }), { total: 0, ids: [] });
    assertRefused(await signInAs(world, browser(), id, 'dee'), world);
    await world.push(id, { act: 'join', person: world.person(id, 'dee'), groups: ['admins'] });
    const again = await signInAs(world, browser(), id, 'dee');
    assert.equal(again.json?.claims.sub, first.json.claims.sub, again.words);
    assert.deepEqual(rolesOf(again), ['admin']);
  });
});
