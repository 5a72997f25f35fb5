// What becomes of people over time, through the management API over real HTTP: sessions, identities, conversions taken back,
// imports, invitations, the end of a connection, mails, reviews and the audit log.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { address, ID } from './worlds/mail.mjs';
import { add, call, convert, find, mailsTo, OWNER, peopleWorld, person, preview, refused, standard, throughTheProvider, withPassword } from './worlds/people.mjs';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Somebody whom the provider knows, by the name that it gives her from now on. */
function employ(world, login, name = login, claims = {}) {
  world.provider.users[login] = { password: 'pw', claims: { email: address(name), email_verified: true, name, given_name: name, family_name: 'Lab', ...claims } };
}

/** Comes in just in time; the browser stays signed in. */
async function arrive(world, visitor, login, name = login) {
  employ(world, login, name);
  const page = await throughTheProvider(world, visitor, login);
  assert.equal(page.url.pathname, '/account', page.words);
  return (await find(world, `email=${address(name)}`)).at(-1);
}

const isIn = async (world, visitor) => (await visitor.open(`${world.installation.origin}/account`)).url.pathname === '/account';
const rows = async (world, query, key = world.ownKey) => (await call(world, 'GET', `/audit?limit=200&${query}`, undefined, key)).body.items;

/** Sends a file to the import and waits until it is done. */
async function importFile(world, text, query = '') {
  const response = await fetch(`${world.installation.origin}/api/v1/imports?${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.key}`, 'content-type': 'text/csv' },
    body: text,
  });
  assert.equal(response.status, 201);
  return response.json();
}

/** A second connection of the organization to the same provider. */
async function secondConnection(world, id, others = {}) {
  const [first] = world.document.connections;
  await world.installation.apply({ connections: [{ ...first, id, policy: { role: { fixed: 'Member' } }, ...others }] });
}

onEachEngine('people over time', peopleWorld, (scenario) => {
  scenario('r118 a session of single sign-on ends by idling, after two hours or as the connection says; one with a password does not', async ({ world, browser }) => {
    const [sso, password] = [browser(), browser()];
    const account = await arrive(world, sso, 'r118');
    await withPassword(world, password, OWNER);
    const idle = (ms) => world.installation.sql(`UPDATE sessions SET last_seen_at = last_seen_at - ${ms}, created_at = created_at - ${ms}`);
    await idle(HOUR * 1.9);
    assert.ok(await isIn(world, sso), 'not yet; and this is use');
    await idle(HOUR * 2.1);
    assert.ok(!(await isIn(world, sso)), 'after two hours');
    assert.ok(await isIn(world, password));
    await world.installation.apply({ connections: [{ ...world.connection, idle_minutes: 15 }] });
    // The provider knows her still.
    await sso.open(`${world.installation.origin}/sso/${ID}/login`);
    assert.ok(await isIn(world, sso));
    await idle(HOUR / 3);
    assert.ok(!(await isIn(world, sso)), 'after the connection\'s own limit');
    assert.equal((await world.api('GET', `/accounts/${account.id}/sessions`)).items.length, 0);
    await world.installation.apply({ connections: [world.connection] });
  });

  scenario('r123 the federated identity of one account is reset, and the next sign-in is matched anew', async ({ world, browser }) => {
    const account = await add(world, 'r123', { connection: ID });
    employ(world, 'r123-old', 'r123');
    await throughTheProvider(world, browser(), 'r123-old');
    // The provider gave her identifier to somebody else, who is taken for her until it is forgotten.
    employ(world, 'r123-old', 'r123-else');
    await throughTheProvider(world, browser(), 'r123-old');
    assert.equal((await world.api('GET', `/accounts/${account.id}/sessions`)).items.length, 2);
    await world.api('PATCH', `/accounts/${account.id}`, { email: address('r123') });
    await world.api('POST', `/accounts/${account.id}/reset-identity`);
    await throughTheProvider(world, browser(), 'r123-old');
    const others = (await find(world, `email=${address('r123-else')}`)).map(({ id }) => id);
    assert.deepEqual([others.length, others.includes(account.id)], [1, false], 'somebody new');
    employ(world, 'r123-new', 'r123');
    const page = await throughTheProvider(world, browser(), 'r123-new');
    assert.equal(page.url.pathname, '/account', page.words);
    assert.deepEqual((await find(world, `email=${address('r123')}`)).map(({ id }) => id), [account.id], 'she herself');
    const told = await rows(world, `account=${account.id}`);
    assert.ok(told.some(({ kind }) => kind === 'user.unlinked'), told.map(({ kind }) => kind).join(' '));
  });

  scenario('r124 who is probably the same person is offered with the reasons, and joined only on request', async ({ world, browser }) => {
    const names = { given_name: 'Greta', family_name: 'Unmistakable', name: 'Greta Unmistakable' };
    employ(world, 'r124-old', 'r124-old', names);
    await throughTheProvider(world, browser(), 'r124-old');
    employ(world, 'r124-new', 'r124-new', names);
    await throughTheProvider(world, browser(), 'r124-new');
    const [[old], [renamed]] = await Promise.all(['r124-old', 'r124-new'].map((name) => find(world, `email=${address(name)}`)));
    assert.notEqual(old.id, renamed.id, 'nothing is assumed');
    const offered = (await world.api('GET', `/accounts/${old.id}/probable-matches`)).items.find((each) => each.account.id === renamed.id);
    assert.deepEqual([offered.reasons, offered.can_take_identity], [['same_name'], true]);
    await world.api('POST', `/accounts/${old.id}/take-identity`, { from: renamed.id });
    assert.equal((await world.api('GET', `/accounts/${old.id}`)).email, address('r124-new'));
    assert.equal((await world.api('GET', `/accounts/${renamed.id}`)).status, 'deleted');
    const visitor = browser();
    await throughTheProvider(world, visitor, 'r124-new');
    assert.equal((await world.api('GET', `/accounts/${old.id}/sessions`)).items.length, 1, 'she comes into the account that she had');
  });

  scenario('r167 deactivating or deleting somebody ends her sessions and the keys of the API that she made, at once', async ({ world, browser }) => {
    for (const [step, method, path] of [['deactivate', 'POST', '/deactivate'], ['delete', 'DELETE', '']]) {
      const name = `r167-${step}`;
      const visitor = browser();
      const account = await standard(world, name, browser, { memberships: [{ organization: ID, roles: ['Admin'] }] });
      await withPassword(world, visitor, address(name));
      const page = await visitor.open(`${world.installation.origin}/console/${ID}/developers`);
      const form = page.forms.find((each) => each.has('label') && each.has('scope'));
      const made = await visitor.submit(page, form, { label: name, days: '30', scope: ['accounts:read', 'keys:read', 'keys:write'] });
      const key = made.text.match(/pvk_[\w-]+/)?.[0];
      assert.ok(key, made.words);
      const second = await call(world, 'POST', '/api-keys', { label: `${name} second`, scopes: ['accounts:read'] }, key);
      assert.deepEqual([second.status, second.body.token?.made_by], [201, account.id], JSON.stringify(second.body));
      const keys = [key, second.body.secret];
      for (const each of keys) assert.equal((await call(world, 'GET', '/accounts', undefined, each)).status, 200);
      if (step === 'deactivate') {
        await world.api('POST', `/accounts/${account.id}/suspend`);
        for (const each of keys) await refused(world, 401, 'invalid_api_key', 'GET', '/accounts', undefined, each);
        await world.api('POST', `/accounts/${account.id}/reactivate`);
        for (const each of keys) assert.equal((await call(world, 'GET', '/accounts', undefined, each)).status, 200, 'only while she was suspended');
      }
      await world.api(method, `/accounts/${account.id}${path}`);
      for (const each of keys) await refused(world, 401, 'invalid_api_key', 'GET', '/accounts', undefined, each);
      assert.ok(!(await isIn(world, visitor)));
      const listed = (await world.api('GET', '/api-keys')).items.filter(({ made_by: by }) => by === account.id);
      assert.ok(listed.length === 2 && listed.every(({ revoked_at: at }) => at), JSON.stringify(listed));
      assert.equal((await call(world, 'GET', '/accounts', undefined, world.ownKey)).status, 200, 'a key of the command line is nobody\'s');
    }
  });

  scenario('workspaces and pools of licenses are resources of their own, and what people hold stays', async ({ world }) => {
    const at = (rest) => `/organizations/${ID}/${rest}`;
    const list = async (what) => (await call(world, 'GET', at(what), undefined, world.ownKey)).body.items;
    const put = async (rest, body, key) => (await call(world, 'PUT', at(rest), body, key)).status;
    assert.equal(await put('workspaces/annex', { name: 'Annex' }), 204);
    assert.deepEqual((await list('workspaces')).find(({ id }) => id === 'annex'), { id: 'annex', name: 'Annex', default: false });
    assert.equal(await put('licenses/visitors', { seats: 2, kind: 'reader' }), 204);
    await refused(world, 403, 'instance_key_needed', 'PUT', at('licenses/visitors'), { seats: 2000 }, world.ownKey);
    await add(world, 'pools', { kind: 'reader', memberships: [{ organization: ID, workspaces: ['annex'], license: 'visitors' }] });
    assert.deepEqual((await list('licenses')).find(({ id }) => id === 'visitors'), { id: 'visitors', seats: 2, used: 1, kind: 'reader' });
    await refused(world, 409, 'license_of_other_kind', 'PUT', at('licenses/visitors'), { seats: 2, kind: 'user' });
    await refused(world, 409, 'license_in_use', 'DELETE', at('licenses/visitors'));
    await refused(world, 409, 'workspace_in_use', 'DELETE', at('workspaces/annex'));
    await refused(world, 409, 'default_workspace', 'DELETE', at('workspaces/main'));
    await refused(world, 422, 'invalid_workspace', 'PUT', at('workspaces/annex'), { name: '' });
    await refused(world, 404, 'not_found', 'DELETE', at('licenses/none'));
    assert.equal(await put('workspaces/annex', { name: 'Annex', default: true }), 204);
    assert.deepEqual((await list('workspaces')).filter((each) => each.default).map(({ id }) => id), ['annex']);
    assert.equal(await put('workspaces/main', { name: 'Main', default: true }), 204);
    const [account] = await find(world, `email=${address('pools')}`);
    await world.api('PUT', at(`members/${account.id}`), { workspaces: [], license: null });
    for (const rest of ['workspaces/annex', 'licenses/visitors']) assert.equal((await call(world, 'DELETE', at(rest))).status, 204, rest);
    const told = (await rows(world, 'kind=organization.updated')).filter(({ data }) => data.licenses ?? data.workspaces);
    assert.deepEqual(told[0].data.licenses.before.find(({ id }) => id === 'visitors').seats, 2);
  });

  scenario('r170 many are converted from the list, not oneself, and roles and access are kept', async ({ world, browser }) => {
    const roles = { memberships: [{ organization: ID, roles: ['Admin'], workspaces: ['lab'], license: 'standard' }] };
    const [one, two] = [await standard(world, 'r170-one', browser, roles), await standard(world, 'r170-two', browser, roles)];
    await convert(world, { accounts: [one.id, two.id] });
    for (const name of ['r170-one', 'r170-two']) {
      const [membership] = (await find(world, `email=${address(name)}`)).find(({ sso }) => sso).memberships;
      assert.deepEqual([membership.roles.map(({ id }) => id), membership.workspaces.map(({ id }) => id), membership.license.id ?? membership.license.license], [['admin'], ['lab'], 'standard']);
    }
    // Whoever asks in the console is passed over.
    const olga = browser();
    await withPassword(world, olga, OWNER);
    const page = await olga.open(`${world.installation.origin}/console/${ID}/conversions/new?connection=${ID}`);
    assert.equal(page.status, 200, page.words);
    const all = (await preview(world)).people.map(({ reason }) => reason);
    assert.ok(all.includes('protected'), 'the emergency admin keeps her password');
  });

  scenario('r171 r172 converted in place the account stays the same, and that is taken back within its time', async ({ world, browser }) => {
    const account = await standard(world, 'r171', browser);
    const run = await convert(world, { accounts: [account.id], mode: 'in_place' });
    const converted = await world.api('GET', `/accounts/${account.id}`);
    assert.deepEqual([converted.sso, converted.connection], [true, ID]);
    assert.equal((await find(world, `email=${address('r171')}`)).length, 1, 'no second account');
    assert.ok((await rows(world, `account=${account.id}`)).some(({ kind }) => kind === 'user.created'), 'her history is under the same name');
    assert.notEqual((await withPassword(world, browser(), address('r171'))).url.pathname, '/account', 'the password ended');
    await world.api('POST', `/conversions/${run.id}/undo`);
    await eventually('it is taken back', async () => !(await world.api('GET', `/accounts/${account.id}`)).sso);
    const link = (await world.mail.mailTo(address('r171'), { seen: 2 })).link(/^http/);
    assert.ok(link, 'a way to a new password');
  });

  scenario('r172 undoing deletes what was added and brings retired originals back, and not after its time', async ({ world, browser }) => {
    const account = await standard(world, 'r172', browser);
    const run = await convert(world, { accounts: [account.id] });
    employ(world, 'r172');
    const arrived = await throughTheProvider(world, browser(), 'r172', (await world.mail.mailTo(address('r172'), { seen: 1 })).link(/\/invite\//));
    assert.equal(arrived.url.pathname, '/account', arrived.words);
    await world.api('POST', `/conversions/${run.id}/retire`);
    await eventually('the original is retired', async () => (await world.api('GET', `/accounts/${account.id}`)).status === 'deactivated');
    await world.api('POST', `/conversions/${run.id}/undo`);
    await eventually('it is undone', async () => (await world.api('GET', `/accounts/${account.id}`)).status === 'active');
    const left = (await find(world, `email=${address('r172')}`)).filter(({ status }) => status !== 'deleted');
    assert.deepEqual(left.map(({ id }) => id), [account.id]);
    assert.equal((await withPassword(world, browser(), address('r172'))).url.pathname, '/account');
    const late = await convert(world, { accounts: [account.id] });
    await world.installation.sql(`UPDATE conversions SET created_at = created_at - ${8 * DAY}, undo_until = undo_until - ${8 * DAY} WHERE id = '${late.id}'`);
    const answer = await call(world, 'POST', `/conversions/${late.id}/undo`);
    assert.equal(answer.status, 409, JSON.stringify(answer.body));
  });

  scenario('r173 several addresses at once, and a file that is tried first, with an error for each row', async ({ world }) => {
    const people = ['r173-a', 'r173-b'].map((name) => ({ email: address(name), connection: ID }));
    const { results } = await world.api('POST', `/organizations/${ID}/invitations`, { people: [...people, { email: 'r173@elsewhere.example', connection: ID }] });
    assert.deepEqual(results.map(({ invitation, code, problem }) => invitation?.state ?? code ?? problem?.code), ['sent', 'sent', 'domain_not_verified']);
    const file = `email,connection,organization\n${address('r173-c')},${ID},${ID}\nr173@elsewhere.example,${ID},${ID}\n${address('r173-d')},,${ID}\n`;
    const tried = await importFile(world, file, 'dry_run=true');
    assert.deepEqual([tried.created, tried.failed], [2, 1], JSON.stringify(tried));
    assert.deepEqual(await find(world, `email=${address('r173-c')}`), []);
    const done = await importFile(world, file, 'invite=true');
    assert.deepEqual([done.created, done.failed], [2, 1], JSON.stringify(done));
    assert.deepEqual(done.problems.map(({ line, code }) => [line, code]), [[3, 'domain_not_verified']], JSON.stringify(done));
    assert.equal((await find(world, `email=${address('r173-c')}`))[0].connection, ID);
    for (const name of ['r173-c', 'r173-d']) await world.mail.mailTo(address(name));
    const again = await importFile(world, file, 'invite=true');
    assert.deepEqual([again.created, again.unchanged], [0, 2], JSON.stringify(again));
  });

  scenario('r174 r175 an invitation shows how it stands, is sent again, revoked, and pending people are let in at once', async ({ world, browser }) => {
    const invite = async (name) => (await world.api('POST', `/organizations/${ID}/invitations`, { people: [{ email: address(name), connection: ID }] })).results[0].invitation;
    const state = async ({ id }) => (await world.api('GET', `/invitations/${id}`)).state;
    const first = await invite('r175-a');
    const old = (await world.mail.mailTo(address('r175-a'))).link(/\/invite\//);
    await world.api('POST', `/invitations/${first.id}/resend`);
    const link = (await world.mail.mailTo(address('r175-a'), { seen: 1 })).link(/\/invite\//);
    assert.notEqual(link, old);
    assert.equal((await browser().open(old)).status, 404, 'the older link is dead');
    assert.equal(await state(first), 'sent');
    await browser().open(link);
    assert.equal(await state(first), 'opened');
    employ(world, 'r175-a');
    assert.equal((await throughTheProvider(world, browser(), 'r175-a', link)).url.pathname, '/account', 'r174: before any other sign-in');
    assert.equal(await state(first), 'accepted');
    assert.equal((await browser().open(link)).status, 404, 'it worked once');
    const second = await invite('r175-b');
    await world.mail.mailTo(address('r175-b'));
    await world.api('POST', `/invitations/${second.id}/revoke`);
    assert.equal(await state(second), 'revoked');
    const third = await invite('r175-c');
    await world.installation.sql(`UPDATE invitations SET expires_at = expires_at - ${30 * DAY} WHERE id = '${third.id}'`);
    assert.equal(await state(third), 'expired');
    const again = await world.api('POST', `/organizations/${ID}/invitations/resend`, {});
    assert.ok(Object.values(again).some((count) => count > 0), JSON.stringify(again));
    const waits = await add(world, 'r175-d', { connection: ID, invite: true, skip_invitation: true });
    const { results } = await world.api('POST', '/accounts:bulk', { accounts: [waits.id], action: 'activate' });
    assert.equal(results[0].status, 'done');
    assert.equal((await world.api('GET', `/accounts/${waits.id}`)).status, 'active');
  });

  scenario('r176 the end of a connection shows its people first and does with them what is said', async ({ world }) => {
    for (const [fate, outcome] of [['keep', ['active', true]], ['convert', ['active', false]], ['delete', ['deleted', true]]]) {
      const id = `r176-${fate}`;
      await secondConnection(world, id);
      const account = await add(world, `r176-${fate}`, { connection: id });
      await world.api('POST', `/accounts/${account.id}/activate`);
      const affected = await world.api('GET', `/connections/${id}/affected`);
      assert.deepEqual([affected.count, affected.accounts[0].email], [1, address(`r176-${fate}`)]);
      await refused(world, 409, 'connection_in_use', 'DELETE', `/connections/${id}`);
      const answer = await call(world, 'DELETE', `/connections/${id}?people=${fate}`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const after = await world.api('GET', `/accounts/${account.id}`);
      assert.deepEqual([after.status, after.sso], outcome, fate);
    }
    assert.ok((await world.mail.mailTo(address('r176-convert'))).link(/^http/), 'a way to a password');
  });

  scenario('r177 the history of mails tells what went to whom, and never the link', async ({ world }) => {
    const account = await add(world, 'r177', { invite: true });
    const link = (await world.mail.mailTo(address('r177'))).link(/\/invite\//);
    const history = await eventually('it is sent', async () => {
      const { items } = await world.api('GET', `/mails?account=${account.id}`);
      return items[0]?.state === 'sent' && items;
    });
    assert.deepEqual(history.map(({ recipient, attempts }) => [recipient, attempts]), [[address('r177'), 1]]);
    const detail = await world.api('GET', `/mails/${history[0].id}`);
    assert.ok(!JSON.stringify([history, detail]).includes(link.split('/').at(-1)), 'no secret in the history');
    assert.equal(mailsTo(world, 'r177').length, 1);
  });

  scenario('r180 who came just in time and was not seen for long is listed for review', async ({ world, browser }) => {
    const account = await arrive(world, browser(), 'r180');
    const stale = async (days) => (await world.api('GET', `/organizations/${ID}/stale-accounts?days=${days}&limit=200`)).items.map((each) => (each.account ?? each).id);
    assert.ok(!(await stale(30)).includes(account.id), 'seen today');
    for (const [table, column, key] of [['last_claims', 'at', 'account'], ['sessions', 'authenticated_at', 'account'], ['accounts', 'created_at', 'id']]) {
      await world.installation.sql(`UPDATE ${table} SET ${column} = ${column} - ${40 * DAY} WHERE ${key} = '${account.id}'`);
    }
    assert.ok((await stale(30)).includes(account.id));
    assert.ok(!(await stale(90)).includes(account.id));
    const { results } = await world.api('POST', '/accounts:bulk', { accounts: [account.id], action: 'suspend' });
    assert.equal(results[0].status, 'done');
    assert.ok(!(await stale(30)).includes(account.id));
  });

  scenario('r189 an organization reads in its own log what became of its people, verified, and nothing of others', async ({ world, browser }) => {
    const account = await arrive(world, browser(), 'r189');
    await world.api('PATCH', `/accounts/${account.id}`, { display_name: '=1+1' });
    await world.api('POST', `/accounts/${account.id}/deactivate`);
    const told = await rows(world, `account=${account.id}`);
    const kinds = told.map(({ kind }) => kind);
    for (const kind of ['user.created', 'user.linked', 'membership.created', 'session.created', 'user.updated', 'user.deactivated', 'session.revoked']) assert.ok(kinds.includes(kind), `${kind}: ${kinds.join(' ')}`);
    const updated = told.find(({ kind }) => kind === 'user.updated');
    assert.equal(updated.data.after.display_name, '=1+1');
    assert.match(updated.actor, /^api_key:key_/);
    assert.ok(updated.data.before && updated.trace_url, JSON.stringify(updated));
    // The pages of the log are one chain without gaps.
    const all = [];
    for (let cursor = ''; cursor !== undefined;) {
      const { body } = await call(world, 'GET', `/audit?limit=200${cursor && `&cursor=${cursor}`}`, undefined, world.ownKey);
      all.push(...body.items);
      cursor = body.next;
    }
    all.forEach((row, place) => {
      assert.equal(row.sequence, all.length - place);
      assert.equal(row.previous_hash, all[place + 1]?.hash ?? '');
    });
    const file = async (format) => (await fetch(`${world.installation.origin}/api/v1/audit/export?format=${format}`, { headers: { authorization: `Bearer ${world.ownKey}` } })).text();
    const lines = (await file('jsonl')).trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ hash }) => hash), all.map(({ hash }) => hash).reverse());
    const table = await file('csv');
    assert.ok(table.includes('user.deactivated') && !/(^|,)"?[=+@]/m.test(table), 'no cell is a formula');
    const other = await rows(world, 'organization=bare', world.key);
    assert.ok(!JSON.stringify(other).includes(account.id));
    const { stdout } = await world.installation.cli(['audit', 'verify']);
    assert.match(stdout, new RegExp(ID));
    await world.installation.sql(`UPDATE audit SET data = '{}' WHERE organization = '${ID}' AND sequence = ${updated.sequence}`);
    await assert.rejects(world.installation.cli(['audit', 'verify']), 'a row that was changed is noticed');
  });
});
