// Domains of an organization over real HTTP: claimed by a TXT record of a real DNS server, and what may be done with one.
import assert from 'node:assert/strict';
import { onEachEngine } from './lib/scenario.mjs';
import { startDnsServer } from './partners/dns-server.mjs';
import { address, ID } from './worlds/mail.mjs';
import { add, call, find, OWNER, PASSWORD, peopleWorld, refused, standard, throughTheProvider, withPassword } from './worlds/people.mjs';

const OTHER = 'bare';

async function domainWorld(engine) {
  const dns = await startDnsServer();
  const world = await peopleWorld(engine, { dns_resolver: dns.address });
  const { stop } = world;
  world.dns = dns;
  world.stop = async () => {
    await stop();
    await dns.stop();
  };
  const { stdout } = await world.installation.cli(['api-key', 'create', '--label', 'other', '--organization', OTHER]);
  world.otherKey = stdout.match(/pvk_\S+/)[0];
  return world;
}

const at = (organization, rest = '') => `/organizations/${organization}/domains${rest}`;

async function done(world, ...request) {
  const answer = await call(world, ...request);
  assert.ok(answer.status < 300, `${request.slice(0, 2).join(' ')}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Claims a domain, publishes its record and has it looked up. */
async function prove(world, name, organization = ID, key = world.ownKey) {
  const claim = await done(world, 'POST', at(organization), { name }, key);
  world.dns.publish(claim.record.name, claim.record.value);
  return done(world, 'POST', at(organization, `/${name}/check`), undefined, key);
}

/** Says how people of a domain may come in; without `settings`, as by default. */
const settle = (world, name, settings = {}) => done(world, 'PUT', at(ID, `/${name}/settings`), settings, world.ownKey);

/** Which forms the way in offers to an address. */
async function offered(world, visitor, email) {
  const page = await visitor.open(`${world.installation.origin}/login`);
  const form = page.forms.find((each) => each.fieldOfType('email'));
  return visitor.submit(page, form, { [form.fieldOfType('email')]: email });
}

onEachEngine('domains', domainWorld, (scenario) => {
  scenario('r110 a domain is claimed by a TXT record, looked up again on demand, and shown with its state', async ({ world }) => {
    const name = 'claimed.example';
    const claim = await done(world, 'POST', at(ID), { name: ' Claimed.EXAMPLE. ' }, world.ownKey);
    assert.deepEqual([claim.name, claim.state, claim.in_force], [name, 'pending', false]);
    assert.match(claim.record.value, /^provost-verification=\S{20,}$/);
    const check = () => done(world, 'POST', at(ID, `/${name}/check`), undefined, world.ownKey);
    const missing = await check();
    assert.equal(missing.state, 'pending');
    assert.ok(missing.problem, 'it says what the look-up found');
    world.dns.publish(claim.record.name, 'provost-verification=somebody-elses');
    assert.equal((await check()).state, 'pending', 'another text proves nothing');
    world.dns.publish(claim.record.name, 'v=spf1 -all', claim.record.value);
    const proved = await check();
    assert.deepEqual([proved.state, proved.method, proved.in_force], ['verified', 'dns', true]);
    assert.ok(world.dns.asked.includes(claim.record.name), world.dns.asked.join(' '));
    const listed = (await done(world, 'GET', at(ID), undefined, world.ownKey)).items;
    assert.equal(listed.find((each) => each.name === name).state, 'verified');
    const log = (await done(world, 'GET', '/audit?kind=domain', undefined, world.ownKey)).items.map(({ kind }) => kind);
    assert.ok(log.includes('domain.claimed') && log.includes('domain.verified'), log.join(' '));
  });

  scenario('r110 whoever proves a domain second takes nothing: it is disputed until the operator decides', async ({ world }) => {
    const name = 'wanted.example';
    assert.equal((await prove(world, name)).state, 'verified');
    const second = await prove(world, name, OTHER, world.otherKey);
    assert.deepEqual([second.state, second.in_force], ['disputed', false]);
    const first = await done(world, 'GET', at(ID, `/${name}`), undefined, world.ownKey);
    assert.deepEqual([first.state, first.in_force], ['disputed', true]);
    assert.doesNotMatch(JSON.stringify(first), new RegExp(OTHER), 'not who the other is');
    await refused(world, 403, 'operator_only', 'POST', at(OTHER, `/${name}/award`), undefined, world.otherKey);
    assert.equal((await done(world, 'POST', at(OTHER, `/${name}/award`))).in_force, true);
    assert.equal((await done(world, 'GET', at(ID, `/${name}`), undefined, world.ownKey)).in_force, false);
  });

  scenario('r111 an unverified domain serves no connection and matches nobody; an operator can vouch for it', async ({ world }) => {
    const name = 'vouched.example';
    await done(world, 'POST', at(ID), { name }, world.ownKey);
    await refused(world, 422, 'domain_not_verified', 'POST', '/accounts', { email: `v@${name}`, connection: ID, memberships: [{ organization: ID }] });
    const connect = () => call(world, 'PUT', `/connections/${ID}?dry_run=true`, { ...world.connection, domains: [`${ID}.example`, name] });
    const early = await connect();
    assert.equal(early.status, 422, JSON.stringify(early.body));
    assert.match(JSON.stringify(early.body), /vouched\.example/);
    await refused(world, 403, 'operator_only', 'POST', at(ID, `/${name}/verify`), undefined, world.ownKey);
    assert.equal((await done(world, 'POST', at(ID, `/${name}/verify`))).method, 'operator');
    assert.equal((await connect()).status, 200);
  });

  scenario('r112 nobody else makes accounts with addresses of a domain that prevents it', async ({ world }) => {
    const name = 'kept.example';
    await prove(world, name);
    const stranger = (who, key) => call(world, 'POST', '/accounts', { email: `${who}@${name}`, memberships: [{ organization: OTHER }] }, key);
    assert.equal((await stranger('before', world.otherKey)).status, 201);
    await settle(world, name, { prevent_outside_sign_ups: true });
    const answer = await stranger('after', world.otherKey);
    assert.deepEqual([answer.status, answer.body.code], [409, 'domain_reserved'], JSON.stringify(answer.body));
    assert.deepEqual(await find(world, `email=after@${name}`), []);
    const own = await call(world, 'POST', '/accounts', { email: `own@${name}`, memberships: [{ organization: ID }] }, world.ownKey);
    assert.equal(own.status, 201, JSON.stringify(own.body));
  });

  scenario('r112 whom the owner of a domain that activates at once adds is in without an invitation', async ({ world }) => {
    const name = `${ID}.example`;
    assert.equal((await add(world, 'r112-waits', { connection: ID })).status, 'invited');
    await settle(world, name, { auto_activate: true });
    const account = await done(world, 'POST', '/accounts', { email: address('r112-in'), connection: ID, memberships: [{ organization: ID }] }, world.ownKey);
    assert.equal(account.status, 'active');
    await settle(world, name);
  });

  scenario('r113 a domain demands single sign-on once it is proved, with exceptions', async ({ world, browser }) => {
    const name = `${ID}.example`;
    const bound = await standard(world, 'r113-bound', browser);
    await standard(world, 'r113-free', browser);
    const settings = { sign_in: 'required', exceptions: [address('r113-free')] };
    const early = await refused(world, 409, 'enforcement_not_ready', 'PUT', at(ID, `/${name}/settings`), settings, world.ownKey);
    assert.ok(early.errors.length > 0, JSON.stringify(early));
    // A sign-in through the provider, and an emergency admin who proves her password and has recovery codes.
    await throughTheProvider(world, browser(), 'ann');
    const emil = browser();
    await withPassword(world, emil, address('emil'));
    const security = await emil.open(`${world.installation.origin}/account/security`);
    const codes = security.forms.find((form) => form.action.pathname.endsWith('/recovery-codes'));
    await emil.submit(security, codes, { password: PASSWORD });
    await settle(world, name, settings);
    const visitor = browser();
    const way = await offered(world, visitor, address('r113-bound'));
    assert.ok(way.url.href.startsWith(world.provider.issuer), `no password form of ours: ${way.url.href}`);
    assert.notEqual((await withPassword(world, browser(), address('r113-bound'))).url.pathname, '/account');
    assert.equal((await withPassword(world, browser(), address('r113-free'))).url.pathname, '/account', 'an exception');
    assert.equal((await withPassword(world, browser(), address('emil'))).url.pathname, '/account', 'the emergency admin');
    await settle(world, name);
    assert.equal((await withPassword(world, browser(), bound.email)).url.pathname, '/account', 'it is over');
    assert.ok((await find(world, `email=${OWNER}`)).length === 1);
  });

  scenario('r114 public mail domains, public suffixes and what is no name cannot be claimed', async ({ world }) => {
    for (const [name, code] of [['gmail.com', 'public_mail_domain'], ['mail.gmail.com', 'public_mail_domain'], ['co.uk', 'public_suffix'], ['localhost', 'invalid_domain'], ['a b.example', 'invalid_domain']]) {
      const answer = await call(world, 'POST', at(ID), { name }, world.ownKey);
      assert.deepEqual([answer.status, answer.body.code], [422, code], `${name}: ${JSON.stringify(answer.body)}`);
    }
  });

  scenario('r178 accounts outside with an address in a domain of the organization are listed, and not where they belong', async ({ world }) => {
    const name = 'outside.example';
    await prove(world, name);
    const stray = await done(world, 'POST', '/accounts', { email: `stray@${name}`, memberships: [{ organization: OTHER }] }, world.otherKey);
    const member = await done(world, 'POST', '/accounts', { email: `member@${name}`, memberships: [{ organization: ID }] }, world.ownKey);
    const listed = await done(world, 'GET', at(ID, `/${name}/outside-accounts`), undefined, world.ownKey);
    assert.deepEqual(listed.items.map(({ id }) => id), [stray.id]);
    assert.notEqual(stray.id, member.id);
    assert.doesNotMatch(JSON.stringify(listed), new RegExp(OTHER));
    await refused(world, 404, 'not_found', 'GET', at(OTHER, `/${name}/outside-accounts`), undefined, world.otherKey);
  });
});
