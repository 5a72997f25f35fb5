// What an operator does with the binary while people sign in: apply, export, back up, restore, run a second node.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { newInstallation } from './lib/provost.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { appsWorld, signIn } from './worlds/apps.mjs';

onEachEngine('operations', appsWorld, (scenario) => {
  scenario('applying the same document again changes nothing', async ({ world }) => {
    assert.match(await world.installation.apply(world.document), /no changes/i);
  });

  scenario('a dry run prints the change and does not make it', async ({ world }) => {
    const renamed = structuredClone(world.document);
    renamed.organizations[0].name = 'Renamed Organization';
    assert.match(await world.installation.apply(renamed, '--dry-run'), /Renamed Organization/);
    assert.match(await world.installation.apply(world.document), /no changes/i);
  });

  scenario('a change applied while the server runs counts for the next sign-in', async ({ world, browser }) => {
    const stricter = structuredClone(world.document);
    stricter.connections[1].policy.role = { fixed: 'Admin' };
    await world.installation.apply(stricter);
    const page = await signIn(world, browser(), { organization: 'south', who: 'cy' });
    assert.deepEqual(page.json?.claims.organizations[0].roles, ['admin'], page.words);
    await world.installation.apply(world.document);
  });

  scenario('an export is a document that changes nothing', async ({ world }) => {
    const { stdout } = await world.installation.cli(['export']);
    assert.match(stdout, /north/);
    assert.doesNotMatch(stdout, /secret-of-north|wiki-app-secret/);
    const file = path.join(world.installation.directory, 'export.yaml');
    writeFileSync(file, stdout);
    const again = await world.installation.cli(['apply', file]);
    assert.match(again.stdout, /no changes/i);
  });

  scenario('doctor finds nothing wrong', async ({ world }) => {
    await world.installation.cli(['doctor']);
  });

  scenario('a backup restored elsewhere knows the same people', async ({ world, browser, engine }) => {
    const page = await signIn(world, browser(), { who: 'bob' });
    const file = path.join(world.installation.directory, 'provost.backup');
    await world.installation.cli(['backup', file]);
    const elsewhere = await newInstallation(engine);
    await elsewhere.cli(['restore', file]);
    const { stdout } = await elsewhere.cli(['explain', '--account', page.json.claims.sub]);
    assert.match(stdout, /bob@north\.example/);
  });

  scenario('two nodes serve one database: a sign-out on one is a sign-out on the other', async ({ world, browser, engine, t }) => {
    if (engine === 'sqlite') return t.skip('SQLite has one node');
    const second = await world.installation.serve({ own: true });
    const { portal } = world.apps;
    const visitor = browser();
    const session = portal.sessionOf(await signIn(world, visitor));
    const userinfo = (origin) => fetch(`${origin}/oauth2/userinfo`, { headers: { authorization: `Bearer ${session.tokens.access_token}` } });
    assert.equal((await userinfo(second.origin)).status, 200);
    await visitor.open(`${portal.origin}/logout`);
    assert.equal((await userinfo(second.origin)).status, 401);
  });
});
