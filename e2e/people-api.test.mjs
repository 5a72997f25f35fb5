// People through the management API over real HTTP, one scenario for each requirement: single sign-on people are added, invited,
// converted, told apart and deleted, with a real mail server and a real OpenID provider on the other side.
import assert from 'node:assert/strict';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { address, ID } from './worlds/mail.mjs';
import { add, call, convert, find, mailsTo, MEMBER, OWNER, PASSWORD, peopleWorld, person, preview, refused, standard, throughTheProvider, withPassword } from './worlds/people.mjs';

onEachEngine('people through the API', peopleWorld, (scenario) => {
  scenario('r85 an SSO configuration speaks SAML or OpenID Connect and nothing else', async ({ world }) => {
    const connection = await world.api('GET', `/connections/${ID}`);
    assert.equal(connection.protocol, 'oidc');
    for (const protocol of ['ldap', 'password', '']) {
      await refused(world, 422, 'invalid_configuration', 'PUT', '/connections/other', { organization: ID, protocol });
    }
    const saml = { organization: ID, protocol: 'saml', saml: { metadata_url: 'https://idp.example/metadata' }, enabled: false };
    const report = await call(world, 'PUT', '/connections/by-saml?dry_run=true', saml);
    assert.ok(report.status === 200 || report.body.errors.every(({ path }) => !path.includes('protocol')), JSON.stringify(report.body));
  });

  scenario('r86 an SSO user is added only once there is an SSO configuration, and the answer says why', async ({ world }) => {
    const body = { email: 'first@bare.example', connection: 'bare-idp', memberships: [{ organization: 'bare' }] };
    const problem = await refused(world, 422, 'invalid_account', 'POST', '/accounts', body);
    assert.ok(problem.errors.some(({ path }) => path === 'connection'), JSON.stringify(problem));
    assert.equal((await find(world, 'email=first@bare.example')).length, 0);
    const account = await add(world, 'r86', { connection: ID });
    assert.equal(account.sso, true);
  });

  scenario('r87 only owners and admins add, invite and convert', async ({ world, browser }) => {
    const visitor = browser();
    await withPassword(world, visitor, MEMBER);
    for (const page of ['users/add', 'invitations', 'conversions/new']) {
      assert.equal((await visitor.open(`${world.installation.origin}/console/${ID}/${page}`)).status, 403, page);
    }
    const owner = browser();
    await withPassword(world, owner, OWNER);
    assert.equal((await owner.open(`${world.installation.origin}/console/${ID}/users/add`)).status, 200);
    const { stdout } = await world.installation.cli(['api-key', 'create', '--label', 'reads', '--organization', ID, '--scopes', 'accounts:read']);
    const reads = stdout.match(/pvk_\S+/)[0];
    await refused(world, 403, 'missing_scope', 'POST', '/accounts', person('r87'), reads);
    await refused(world, 403, 'missing_scope', 'POST', `/organizations/${ID}/invitations`, { people: [{ email: address('r87') }] }, reads);
    await refused(world, 403, 'missing_scope', 'POST', `/organizations/${ID}/conversions`, { connection: ID, kinds: ['user'] }, reads);
    // An organization's own key is an admin there, no owner, and nothing elsewhere.
    await refused(world, 403, 'not_permitted', 'POST', '/accounts', person('r87', { memberships: [{ organization: ID, roles: ['owner'] }] }), world.ownKey);
    const elsewhere = await call(world, 'POST', '/accounts', { email: 'r87@bare.example', memberships: [{ organization: 'bare' }] }, world.ownKey);
    assert.ok([403, 404, 422].includes(elsewhere.status), JSON.stringify(elsewhere.body));
    assert.equal((await call(world, 'POST', '/accounts', person('r87'), world.ownKey)).status, 201);
  });

  scenario('r88 the address of a new SSO user lies in a domain of the chosen configuration', async ({ world }) => {
    await refused(world, 422, 'domain_not_verified', 'POST', '/accounts', { ...person('x'), email: 'r88@elsewhere.example', connection: ID });
    assert.equal((await find(world, 'email=r88@elsewhere.example')).length, 0);
    assert.equal((await add(world, 'r88', { connection: ID })).email, address('r88'));
    // Without single sign-on any address will do.
    assert.equal((await world.api('POST', '/accounts', { ...person('x'), email: 'r88@elsewhere.example' })).sso, false);
  });

  scenario('r89 r90 the same call with a chosen configuration adds an SSO user who is bound to it', async ({ world }) => {
    const plain = await add(world, 'r89-plain', { given_name: 'Rea', memberships: [{ organization: ID, roles: ['Admin'] }] });
    const sso = await add(world, 'r89-sso', { given_name: 'Rea', memberships: [{ organization: ID, roles: ['Admin'] }], connection: ID });
    assert.deepEqual([plain.sso, plain.connection], [false, undefined]);
    assert.deepEqual([sso.sso, sso.connection], [true, ID]);
    assert.deepEqual(sso.memberships[0].roles.map(({ id }) => id), plain.memberships[0].roles.map(({ id }) => id));
    assert.ok((await find(world, `connection=${ID}`)).some(({ id }) => id === sso.id), 'r90: the list by configuration has it');
  });

  scenario('r91 with the invitation skipped nothing is sent', async ({ world }) => {
    const account = await add(world, 'r91', { connection: ID, invite: true, skip_invitation: true });
    assert.equal(account.status, 'invited');
    await add(world, 'r91-then', { invite: true });
    await world.mail.mailTo(address('r91-then'));
    assert.deepEqual(mailsTo(world, 'r91'), []);
    assert.deepEqual((await world.api('GET', `/mails?recipient=${address('r91')}`)).items, []);
  });

  scenario('r92 else an invitation with login details is sent', async ({ world, browser }) => {
    await add(world, 'eve', { connection: ID, invite: true });
    const mail = await world.mail.mailTo(address('eve'));
    assert.match(mail.text, /company account/);
    const account = await throughTheProvider(world, browser(), 'eve', mail.link(/\/invite\//));
    assert.equal(account.url.pathname, '/account', account.words);
    const [eve] = await find(world, `email=${address('eve')}`);
    assert.equal(eve.status, 'active');
  });

  scenario('r93 r95 conversion is for all or for selected people, and only the ticked ones are invited', async ({ world, browser }) => {
    const [one, two] = [await standard(world, 'r95-one', browser), await standard(world, 'r95-two', browser)];
    const everybody = (await preview(world)).people.map(({ account }) => account);
    assert.ok(everybody.includes(one.id) && everybody.includes(two.id));
    const selected = await preview(world, { accounts: [one.id] });
    assert.deepEqual(selected.people.map(({ account }) => account), [one.id]);
    await convert(world, { accounts: [one.id] });
    assert.ok((await world.mail.mailTo(address('r95-one'), { seen: 1 })).link(/\/invite\//));
    assert.equal((await find(world, `email=${address('r95-two')}`)).length, 1);
    assert.equal(mailsTo(world, 'r95-two').length, 1, 'the first invitation and no other');
  });

  scenario('r96 conversion takes effect when it is saved, and each invited person gets a mail with login details', async ({ world, browser }) => {
    const account = await standard(world, 'r96', browser);
    await preview(world, { accounts: [account.id] });
    assert.equal((await find(world, `email=${address('r96')}`)).length, 1, 'looking changes nothing');
    assert.equal(mailsTo(world, 'r96').length, 1);
    await convert(world, { accounts: [account.id] });
    const mail = await world.mail.mailTo(address('r96'), { seen: 1 });
    assert.match(mail.text, /company account/);
    assert.ok(mail.link(/\/invite\//));
  });

  scenario('r97 r98 r99 the SSO account stands beside the original, and goes without touching it', async ({ world, browser }) => {
    const original = await standard(world, 'bob', browser, { memberships: [{ organization: ID, roles: ['Admin'], license: 'standard' }] });
    await convert(world, { accounts: [original.id] });
    const link = (await world.mail.mailTo(address('bob'), { seen: 1 })).link(/\/invite\//);
    const arrived = await throughTheProvider(world, browser(), 'bob', link);
    assert.equal(arrived.url.pathname, '/account', arrived.words);
    const both = await find(world, `email=${address('bob')}`);
    assert.deepEqual(both.map(({ sso }) => sso).sort(), [false, true], 'r98: one address, two accounts');
    const additional = both.find(({ sso }) => sso);
    assert.notEqual(additional.id, original.id);
    assert.deepEqual(additional.memberships[0].roles.map(({ id }) => id), ['admin']);
    assert.equal((await withPassword(world, browser(), address('bob'))).url.pathname, '/account', 'r97: the original goes on working');
    assert.equal((await call(world, 'DELETE', `/accounts/${additional.id}`)).status, 200);
    const left = await world.api('GET', `/accounts/${original.id}`);
    assert.deepEqual([left.status, left.memberships[0].roles[0].id, left.memberships[0].license.seated], ['active', 'admin', true]);
    assert.equal((await withPassword(world, browser(), address('bob'))).url.pathname, '/account', 'r99');
  });

  scenario('r100 r107 a list shows label, role and status of each, and is filtered by the label', async ({ world }) => {
    await add(world, 'r100', { connection: ID, memberships: [{ organization: ID, roles: ['Admin'] }] });
    const all = await find(world, `organization=${ID}`);
    const shown = all.find(({ email }) => email === address('r100'));
    assert.deepEqual([shown.sso, shown.status, shown.memberships[0].roles[0].id], [true, 'invited', 'admin']);
    const [by, without] = [await find(world, `organization=${ID}&sso=true`), await find(world, `organization=${ID}&sso=false`)];
    assert.ok(by.length > 0 && by.every(({ sso, connection }) => sso && connection === ID));
    assert.ok(without.length > 0 && without.every(({ sso, connection }) => !sso && connection === undefined));
    assert.equal(by.length + without.length, all.length);
  });

  scenario('r101 deleting in the console asks first', async ({ world, browser }) => {
    const { id } = await add(world, 'r101');
    const owner = browser();
    await withPassword(world, owner, OWNER);
    const page = await owner.open(`${world.installation.origin}/console/${ID}/users/${id}`);
    assert.match(page.words, /The account is deleted with its access and sessions/, 'what would happen stands beside the button');
    assert.notEqual((await world.api('GET', `/accounts/${id}`)).status, 'deleted', 'the page alone deletes nobody');
    const form = page.forms.find((each) => each.action.pathname.endsWith('/delete'));
    await owner.submit(page, form);
    assert.equal((await world.api('GET', `/accounts/${id}`)).status, 'deleted');
  });

  scenario('r102 deactivating and deleting are two different actions', async ({ world }) => {
    const { id } = await add(world, 'r102', { memberships: [{ organization: ID, license: 'standard' }] });
    const path = `/accounts/${id}`;
    assert.equal((await world.api('POST', `${path}/deactivate`)).status, 'deactivated');
    assert.equal((await world.api('POST', `${path}/reactivate`)).status, 'active');
    assert.equal((await world.api('DELETE', path)).status, 'deleted');
    await refused(world, 409, 'illegal_transition', 'POST', `${path}/reactivate`);
    const free = async () => (await world.api('GET', `/organizations/${ID}/members/${id}`)).license.seated;
    assert.equal(await free(), false, 'who is deleted holds no seat');
    assert.equal((await world.api('POST', `${path}/restore`)).status, 'active');
    assert.equal(await free(), true);
  });

  scenario('r103 r104 c25 a reader may be an SSO account, and is not added twice; with a password she still may', async ({ world }) => {
    const reader = await add(world, 'r104', { kind: 'reader', connection: ID });
    assert.deepEqual([reader.kind, reader.sso], ['reader', true]);
    for (const kind of ['reader', 'user']) {
      await refused(world, 409, 'account_exists', 'POST', '/accounts', person('r104', { kind, connection: ID, invite: true }));
    }
    assert.deepEqual(mailsTo(world, 'r104'), [], 'who is there is not invited');
    assert.equal((await add(world, 'r104')).sso, false, 'c25: only where single sign-on is wanted again');
    assert.equal((await find(world, `email=${address('r104')}`)).length, 2);
  });

  scenario('r105 c24 with a mix of people "selected" is recommended; kinds are ticked, and who is passed over is told why', async ({ world }) => {
    await add(world, 'r105', { connection: ID });
    const all = await preview(world);
    assert.equal(all.recommends_selected, true);
    const reasons = Object.fromEntries(all.people.map(({ email, reason }) => [email, reason]));
    assert.equal(reasons[address('emil')], 'protected', 'c24: an emergency admin keeps the password');
    const users = await preview(world, { kinds: ['user'] });
    assert.ok(users.people.every(({ email }) => email !== address('rudi')), 'c24: readers only where they are ticked');
    assert.ok(all.people.some(({ email }) => email === address('rudi')));
    await world.api('POST', '/accounts', { email: 'guest@elsewhere.example', memberships: [{ organization: ID }] });
    const guest = (await preview(world)).people.find(({ email }) => email === 'guest@elsewhere.example');
    assert.equal(guest.reason, 'domain_not_verified');
  });

  scenario('r94 r106 everybody is invited, and who has signed in is seen before an original goes', async ({ world, browser }) => {
    const original = await standard(world, 'ann', browser);
    const before = (await preview(world)).people.filter(({ reason }) => reason === undefined).map(({ email }) => email);
    assert.ok(before.includes(address('ann')) && before.length > 1);
    const run = await convert(world, {});
    const board = async (query) => (await world.api('GET', `/conversions/${run.id}/people?limit=200&${query}`)).items;
    const invited = (await board('state=invited')).map(({ email }) => email);
    assert.deepEqual(invited.sort(), before.sort(), 'r94: all of them');
    assert.deepEqual(await board('signed_in=true'), []);
    const link = (await world.mail.mailTo(address('ann'), { seen: 1 })).link(/\/invite\//);
    await throughTheProvider(world, browser(), 'ann', link);
    assert.deepEqual((await board('signed_in=true')).map(({ email }) => email), [address('ann')]);
    const retired = await world.api('POST', `/conversions/${run.id}/retire`, {});
    assert.equal(retired.done, 1);
    assert.equal((await world.api('GET', `/accounts/${original.id}`)).status, 'deactivated');
    for (const email of before.filter((each) => each !== address('ann'))) {
      const [left] = (await find(world, `email=${email}`)).filter(({ sso }) => !sso);
      assert.notEqual(left.status, 'deactivated', `${email} has not come yet`);
    }
  });

  scenario('r108 an SSO user signs in at the provider and has no second password', async ({ world, browser }) => {
    const visitor = browser();
    const arrived = await throughTheProvider(world, visitor, 'eve');
    assert.equal(arrived.url.pathname, '/account', arrived.words);
    const wrong = await withPassword(world, browser(), address('eve'));
    assert.notEqual(wrong.url.pathname, '/account');
    const asking = browser();
    const page = await asking.open(`${world.installation.origin}/login/forgot`);
    const seen = mailsTo(world, 'eve').length;
    await asking.submit(page, page.forms.find((each) => each.fieldOfType('email')), { email: address('eve') });
    const mail = await world.mail.mailTo(address('eve'), { seen });
    assert.doesNotMatch(mail.text, /\/password\//);
  });

  scenario('r109 adding, converting and deleting are three flows of their own', async ({ world, browser }) => {
    const added = await add(world, 'r109-added', { connection: ID });
    const original = await standard(world, 'r109', browser);
    await convert(world, { accounts: [original.id], notify: false });
    const both = await find(world, `email=${address('r109')}`);
    assert.equal(both.length, 2);
    assert.equal((await world.api('DELETE', `/accounts/${added.id}`)).status, 'deleted');
    assert.deepEqual((await find(world, `email=${address('r109')}`)).map(({ id }) => id).sort(), both.map(({ id }) => id).sort());
    const owner = browser();
    await withPassword(world, owner, OWNER);
    const users = await owner.open(`${world.installation.origin}/console/${ID}/users`);
    assert.ok(users.link(/\/users\/add/), users.words);
    const connection = await owner.open(`${world.installation.origin}/console/${ID}/conversions`);
    assert.ok(connection.link(/\/conversions\/new/), connection.words);
  });

  scenario('c21 who sets connections up is said by the plan, and operators are never held back', async ({ world }) => {
    const plan = (setup) => world.api('PUT', `/organizations/${ID}/plan`, { setup });
    const token = (label, key) => call(world, 'POST', `/connections/${ID}/scim-tokens`, { label }, key);
    for (const [setup, code] of [['link', 'setup_by_link'], ['operator_only', 'setup_by_operator']]) {
      await plan(setup);
      await refused(world, 403, code, 'POST', `/connections/${ID}/scim-tokens`, { label: 'own' }, world.ownKey);
      assert.equal((await token(`operator ${setup}`)).status, 201);
    }
    await plan('self_service');
    assert.equal((await token('own', world.ownKey)).status, 201);
  });

  scenario('c22 the connection says who is invited where the call does not: by default whoever is added by hand or converted', async ({ world, browser }) => {
    const put = (settings) => world.installation.apply({ connections: [{ ...world.connection, ...settings }] });
    const invite = async (name, others) => {
      const { results } = await world.api('POST', `/organizations/${ID}/invitations`, { people: [{ email: address(name), connection: ID }], ...others });
      return results[0].invitation.state;
    };
    const notified = async (name) => (await convert(world, { accounts: [(await standard(world, name, browser)).id] })).notify;
    assert.equal(await invite('c22-default'), 'sent');
    assert.match((await world.mail.mailTo(address('c22-default'))).link(/\/invite\//), /invite/);
    assert.equal(await notified('c22-converted'), true);
    await world.mail.mailTo(address('c22-converted'), { seen: 1 });
    await put({ invite_on: { manual: false, conversion: false } });
    assert.equal(await invite('c22-silent'), 'skipped');
    assert.equal(await notified('c22-moved'), false);
    assert.equal(await invite('c22-told', { send: true }), 'sent');
    await put({});
    // Who comes just in time is never told, and neither is who was passed over above.
    const jim = { email: address('c22-jim'), email_verified: true, given_name: 'Jim', family_name: 'Lab' };
    world.provider.users['c22-jim'] = { password: 'pw', claims: jim };
    await throughTheProvider(world, browser(), 'c22-jim');
    assert.equal((await find(world, `email=${address('c22-jim')}`)).length, 1);
    await invite('c22-last');
    await world.mail.mailTo(address('c22-last'));
    assert.deepEqual(mailsTo(world, 'c22-silent'), []);
    assert.equal(mailsTo(world, 'c22-moved').length, 1, 'only the mail of long ago, to choose a password');
    assert.deepEqual(mailsTo(world, 'c22-jim'), []);
  });

  scenario('c23 r179 who finds no seat waits and gets one by itself, of the pool and of the kind', async ({ world }) => {
    const seats = () => world.api('GET', `/organizations/${ID}/seats`);
    const pool = (found, license) => found.pools.find((each) => each.license === license);
    const member = (name) => ({ memberships: [{ organization: ID, license: name }] });
    const holder = await add(world, 'c23-one', member('scarce'));
    await refused(world, 409, 'no_seat', 'POST', '/accounts', person('c23-two', member('scarce')));
    assert.equal(pool(await seats(), 'scarce').used, 1);
    // By the file, which tells nobody: she waits.
    await world.installation.apply({ users: [{ email: address('c23-two'), memberships: [{ organization: ID, license: 'scarce' }] }] });
    const waiting = async () => (await world.api('GET', `/organizations/${ID}/seats/waiting?license=scarce`)).items.map(({ email }) => email);
    assert.deepEqual(await waiting(), [address('c23-two')]);
    await world.api('DELETE', `/accounts/${holder.id}`);
    await eventually('the seat is given on', async () => (await waiting()).length === 0);
    assert.equal(pool(await seats(), 'scarce').used, 1);
    // The organization's plan has no more seats for readers, whatever the pools have.
    const { used } = (await seats()).seats.readers;
    await world.api('PUT', `/organizations/${ID}/plan`, { seats: { readers: used + 1 } });
    await add(world, 'c23-reader', { kind: 'reader', ...member('standard') });
    await refused(world, 409, 'no_seat', 'POST', '/accounts', person('c23-late', { kind: 'reader', ...member('standard') }));
    assert.equal((await add(world, 'c23-user', member('standard'))).memberships[0].license.seated, true);
    assert.deepEqual((await seats()).seats.readers, { limit: used + 1, used: used + 1, waiting: 0 });
    await world.api('PUT', `/organizations/${ID}/plan`, {});
  });

  scenario('c26 an organization may leave its people to its owners alone', async ({ world, browser }) => {
    const organization = (managed_by) => world.installation.apply({ organizations: [{ id: ID, roles_per_member: 'many', name: `Organization ${ID}`, managed_by }] });
    const opens = async () => {
      const visitor = browser();
      await withPassword(world, visitor, address('emil'));
      return (await visitor.open(`${world.installation.origin}/console/${ID}/users/add`)).status;
    };
    assert.equal(await opens(), 200);
    await organization('owners');
    assert.equal(await opens(), 403);
    const owner = browser();
    await withPassword(world, owner, OWNER);
    assert.equal((await owner.open(`${world.installation.origin}/console/${ID}/users/add`)).status, 200);
    await organization('owners_and_admins');
    assert.equal(await opens(), 200);
  });

  scenario('c29 whoever is deleted stays out, or may come back as somebody new, as the deletion says', async ({ world, browser }) => {
    const eve = async () => (await find(world, `email=${address('eve')}&sso=true`)).find(({ status }) => status === 'active');
    const first = await eve();
    await world.api('DELETE', `/accounts/${first.id}`);
    const blocked = await throughTheProvider(world, browser(), 'eve');
    assert.equal(blocked.status, 403, blocked.words);
    assert.equal(await eve(), undefined);
    await world.api('POST', `/accounts/${first.id}/restore`);
    await world.api('DELETE', `/accounts/${first.id}?return=allow`);
    const back = await throughTheProvider(world, browser(), 'eve');
    assert.equal(back.url.pathname, '/account', back.words);
    assert.notEqual((await eve()).id, first.id);
  });
});
