// A customer whose console is looked at: an OpenID provider that signs people in, a directory that pushes, people by hand,
// sign-ins that went well and some that did not. And what every test of a console does: sign in, open a page, judge it.
import assert from 'node:assert/strict';
import { Browser } from '../lib/browser.mjs';
import { newInstallation } from '../lib/provost.mjs';
import { accessibilityViolations, screenshot, sidewaysOverflow } from '../partners/chromium.mjs';
import { startOpenidProvider } from '../partners/openid-provider.mjs';

export const PASSWORD = 'correct horse battery staple';
export const OWNER = 'olga@northwind.example';
export const OPERATOR = 'petra@operator.example';
export const MEMBER = 'max@northwind.example';
/** What a page may weigh with its style sheet and script, in bytes. */
export const HEAVIEST = 50_000;
export const TOKEN = 'pvt_console_directory_token_0123456789abcdefghijkl';
export const SECRET = 'secret-of-northwind-0123456789abcdef';

const PEOPLE = {
  ann: ['Ann', 'Ek', ['northwind', 'staff', 'admins']],
  bob: ['Bob', 'Friis', ['northwind', 'staff']],
  cleo: ['Cleo', 'Holm', ['northwind', 'design']],
  mal: ['Mal', 'Outsider', ['elsewhere']],
};

export async function consoleWorld(engine, settings) {
  const installation = await newInstallation(engine, settings);
  const provider = await startOpenidProvider({
    users: Object.fromEntries(Object.entries(PEOPLE).map(([login, [given_name, family_name, groups]]) => [login, {
      password: 'pw',
      claims: { email: `${login}@northwind.example`, email_verified: true, name: `${given_name} ${family_name}`, given_name, family_name, groups },
    }])),
    clients: [{ client_id: 'provost', client_secret: SECRET, redirect_uris: [`${installation.origin}/sso/northwind-id/oidc/callback`] }],
  });
  const world = {
    installation,
    provider,
    organization: `${installation.origin}/console/northwind`,
    async stop() {
      await installation.stop();
      await provider.stop();
    },
  };
  try {
    await installation.apply(document(installation, provider));
    const { stdout } = await installation.cli(['operator', 'add', '--email', OPERATOR]);
    world.operatorLink = stdout.match(/https?:\/\/\S+\/password\/\S+/)[0];
    await installation.serve();
    for (const login of Object.keys(PEOPLE)) await arrive(world, login);
    await push(world);
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

function document(installation, provider) {
  const byHand = Array.from({ length: 60 }, (_, at) => ({
    email: `person-${String(at).padStart(2, '0')}@northwind.example`,
    given_name: ['Ida', 'Jon', 'Kim', 'Lea', 'Nils'][at % 5],
    family_name: `Person ${at}`,
    kind: at % 7 === 0 ? 'reader' : 'user',
    memberships: [{ organization: 'northwind', roles: ['member'] }],
  }));
  return {
    organizations: [{
      id: 'northwind',
      name: 'Northwind Traders',
      domains: [{ name: 'northwind.example', verified: true }],
      roles: [{ id: 'owner', name: 'Owner', owner: true }, { id: 'admin', name: 'Admin', admin: true }, { id: 'designer', name: 'Designer' }, { id: 'member', name: 'Member', default: true }],
      workspaces: [{ id: 'main', name: 'Main', default: true }, { id: 'studio', name: 'Studio' }],
      licenses: [{ id: 'standard', seats: 50 }, { id: 'viewer', seats: 3 }],
    }, {
      id: 'fabrikam',
      name: 'Fabrikam',
      roles: [{ id: 'owner', name: 'Owner', owner: true }, { id: 'member', name: 'Member' }],
    }],
    connections: [{
      id: 'northwind-id',
      name: 'Northwind ID',
      organization: 'northwind',
      protocol: 'oidc',
      oidc: { issuer: provider.issuer, client_id: 'provost', client_secret: SECRET, scopes: ['openid', 'profile', 'email', 'groups'] },
      domains: ['northwind.example'],
      provisioning: 'jit',
      policy: {
        organization: "contains(groups, '{{orgId}}')",
        // The last alternative is no role of the organization: somebody will ask why.
        role: { expression: "contains(groups, 'admins') && 'Admin' || contains(groups, 'staff') && 'Member' || 'designer'" },
        workspaces: { mode: 'all' },
        license: { fixed: 'standard' },
      },
    }, {
      id: 'northwind-hr',
      name: 'Northwind HR directory',
      organization: 'northwind',
      protocol: 'oidc',
      oidc: { issuer: provider.issuer, client_id: 'provost', client_secret: SECRET },
      domains: ['northwind.example'],
      provisioning: 'scim',
      scim: { tokens: [{ label: 'hr', token: TOKEN }] },
      policy: { role: { groups: [{ value: 'Designers', roles: ['Designer'] }] }, workspaces: { mode: 'fixed', ids: ['studio'] }, license: { fixed: 'viewer' } },
    }],
    users: [
      { email: OWNER, given_name: 'Olga', family_name: 'Berg', password: PASSWORD, memberships: [{ organization: 'northwind', roles: ['owner'] }] },
      { email: MEMBER, given_name: 'Max', family_name: 'Dahl', password: PASSWORD, memberships: [{ organization: 'northwind', roles: ['member'] }] },
      ...byHand,
    ],
  };
}

/** Somebody signs in through the provider, as in an app. */
async function arrive(world, login) {
  const browser = new Browser();
  const page = await browser.open(`${world.installation.origin}/sso/northwind-id/login`);
  await browser.signIn(page, { user: login, password: 'pw' });
}

/** The directory pushes three people and a group, and makes a mistake. */
async function push(world) {
  const call = async (method, path, body) => {
    const answer = await fetch(`${world.installation.origin}/scim/northwind-hr/v2/${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/scim+json' },
      body: body && JSON.stringify(body),
    });
    return answer.status === 204 ? undefined : answer.json();
  };
  const members = [];
  for (const name of ['Dana', 'Emil', 'Fay']) {
    const user = await call('POST', 'Users', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
      userName: `${name.toLowerCase()}@northwind.example`,
      externalId: `hr-${name}`,
      name: { givenName: name, familyName: 'Strand' },
      emails: [{ value: `${name.toLowerCase()}@northwind.example`, primary: true }],
      active: true,
    });
    members.push({ value: user.id });
  }
  await call('POST', 'Groups', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName: 'Designers', externalId: 'hr-designers', members });
  await call('POST', 'Users', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: 'dana@northwind.example' });
}

/** Signs in once for each person: guessing passwords is slowed down, and so would be a suite that signs in for each test. */
export async function signIn(page, world, email = OWNER) {
  world.cookies ??= {};
  await page.context().clearCookies();
  if (!world.cookies[email]) {
    await page.goto(`${world.installation.origin}/login/password`);
    await page.locator('#email').fill(email);
    await page.locator('#password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/account/);
    world.cookies[email] = await page.context().cookies();
  }
  await page.context().addCookies(world.cookies[email]);
}

/** Signs the operator in, who chooses a password by her link first. */
export async function signInOperator(page, world) {
  if (world.operatorLink) {
    await page.context().clearCookies();
    await page.goto(world.operatorLink);
    await page.locator('#password').fill(PASSWORD);
    await page.locator('#repeat').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/account/);
    delete world.operatorLink;
    world.cookies = { ...world.cookies, [OPERATOR]: await page.context().cookies() };
  }
  await signIn(page, world, OPERATOR);
}

/** Pages that listen to a stream of events, and the streams. */
const LISTENING = /\/setup\/scim$|\/activity(\?|$)/;
const STREAM = /\/events$|\/activity\/live\?/;

/** Opens a page and returns how many bytes it took, everything that it loaded included. */
export async function visit(page, url) {
  const answers = [];
  const heard = (answer) => answers.push(answer);
  page.on('response', heard);
  const answer = await page.goto(url);
  // A page that listens for events is never idle.
  await page.waitForLoadState(LISTENING.test(url) ? 'load' : 'networkidle');
  page.off('response', heard);
  assert.equal(answer.status(), 200, url);
  let weight = 0;
  for (const each of answers.filter((answer) => !STREAM.test(answer.url()))) weight += (await each.request().sizes()).responseBodySize;
  return weight;
}

/** What every page of ours must be; the picture is for a person to look at. */
export async function judge(page, name, { expected } = {}) {
  await screenshot(page, name);
  assert.deepEqual(await accessibilityViolations(page), [], name);
  assert.ok(await sidewaysOverflow(page) <= 0, `${name} is wider than its window`);
  assert.ok(await page.title(), 'a title');
  assert.equal(await page.locator('h1').count(), 1, 'one main heading');
  assert.deepEqual(page.complaints.filter((complaint) => !expected?.test(complaint)), [], name);
}
