// People of one organization with an OpenID provider and a mail server, and what suites do to them through the API.
import assert from 'node:assert/strict';
import { eventually } from '../lib/process.mjs';
import { address, ID, mailWorld } from './mail.mjs';

export const PASSWORD = 'correct horse battery staple';
export const OWNER = address('olga');
export const MEMBER = address('mia');

export async function peopleWorld(engine, settings = {}) {
  const world = await mailWorld(engine, { provisioning: 'jit', settings });
  const [lab] = world.document.organizations;
  const [connection] = world.document.connections;
  const person = (email, roles, others = {}) => ({ email, password: PASSWORD, memberships: [{ organization: ID, roles }], ...others });
  await world.installation.apply({
    organizations: [
      { ...lab, roles: lab.roles.map((role) => ({ ...role, default: role.id === 'member' })), licenses: [{ id: 'standard', seats: 20 }, { id: 'scarce', seats: 1 }] },
      { id: 'bare', roles: [{ id: 'owner', name: 'Owner' }, { id: 'member', name: 'Member', default: true }] },
    ],
    connections: [{ ...connection, policy: { role: { fixed: 'Member' } } }],
    users: [person(OWNER, ['owner']), person(MEMBER, ['member']), person(address('rudi'), ['member'], { kind: 'reader' }), person(address('emil'), ['admin'], { emergency_admin: true })],
  });
  world.connection = { ...connection, policy: { role: { fixed: 'Member' } } };
  const { stdout } = await world.installation.cli(['api-key', 'create', '--label', 'lab', '--organization', ID]);
  world.ownKey = stdout.match(/pvk_\S+/)[0];
  return world;
}

/** Calls the API with a key and returns the status and what was answered. */
export async function call(world, method, path, body, key = world.key) {
  const response = await fetch(`${world.installation.origin}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : undefined };
}

export async function refused(world, status, code, ...request) {
  const answer = await call(world, ...request);
  assert.deepEqual([answer.status, answer.body?.code], [status, code], JSON.stringify(answer.body));
  return answer.body;
}

export const person = (name, others = {}) => ({ email: address(name), memberships: [{ organization: ID }], ...others });
export const add = (world, name, others) => world.api('POST', '/accounts', person(name, others));
export const find = async (world, query) => (await world.api('GET', `/accounts?limit=200&${query}`)).items;
export const mailsTo = (world, name) => world.mail.mails.filter(({ to }) => to.includes(address(name)));

/** Makes a standard account whose person has chosen a password. */
export async function standard(world, name, browser, others = {}) {
  const account = await add(world, name, { ...others, invite: true });
  const visitor = browser();
  const page = await visitor.open((await world.mail.mailTo(address(name))).link(/\/invite\//));
  const form = page.forms.find((each) => each.fieldOfType('password'));
  await visitor.submit(page, form, { password: PASSWORD, repeat: PASSWORD });
  return account;
}

export async function withPassword(world, visitor, email) {
  return visitor.signIn(await visitor.open(`${world.installation.origin}/login/password`), { user: email, password: PASSWORD });
}

/** Signs in at the provider; `from` is the page to begin with. */
export async function throughTheProvider(world, visitor, who, from = `${world.installation.origin}/sso/${ID}/login`) {
  let page = await visitor.open(from);
  if (!page.url.href.startsWith(world.provider.issuer)) page = await visitor.submit(page, page.forms[0]);
  return visitor.signIn(page, { user: who, password: 'pw' });
}

/** Begins a run of conversions and waits until it rests. */
export async function convert(world, wanted) {
  const run = await world.api('POST', `/organizations/${ID}/conversions`, { connection: ID, kinds: ['user', 'reader'], ...wanted });
  return eventually('the run rests', async () => {
    const now = await world.api('GET', `/conversions/${run.id}`);
    return now.state === 'done' && now;
  });
}

export const preview = (world, wanted = {}) => world.api('POST', `/organizations/${ID}/conversions/preview`, { connection: ID, kinds: ['user', 'reader'], ...wanted });
