// A world where one customer's directory does both: it pushes people (scim2-client) and signs them in (oidc-provider).
import { newInstallation } from '../lib/provost.mjs';
import { runScript } from '../partners/python.mjs';
import { startOpenidApp } from '../partners/openid-app.mjs';
import { startOpenidProvider } from '../partners/openid-provider.mjs';
import { application, domainOf, organization } from './organization.mjs';
import { pushingConnection, tokenOf } from './scim.mjs';

/** By connection: the declared join key between a pushed person and a sign-in, and what the directory must push for it. */
export const JOIN_KEYS = {
  'by-user-name': { joinBy: ['user_name'], pushed: () => ({}) },
  'by-external-id': { joinBy: ['external_id'], pushed: (login) => ({ externalId: login }) },
  'by-email': { joinBy: ['email'], pushed: (login) => ({ userName: login }) },
};

const NAMES = ['ann', 'bob', 'cy', 'dee', 'never-pushed'];

function peopleOf(id) {
  return Object.fromEntries(NAMES.map((name) => [`${name}-${id}`, {
    password: 'pw',
    // No groups in the token: what the push granted must not depend on what a sign-in says.
    claims: { email: `${name}@${domainOf(id)}`, email_verified: true, name: `${name} Ek`, given_name: name, family_name: 'Ek', preferred_username: `${name}@${domainOf(id)}` },
  }]));
}

export async function lifecycleWorld(engine) {
  const ids = Object.keys(JOIN_KEYS);
  const installation = await newInstallation(engine);
  const app = await startOpenidApp({ clientId: 'portal-app', clientSecret: 'portal-app-secret-0123456789abcdef' });
  const provider = await startOpenidProvider({
    users: Object.assign({}, ...ids.map(peopleOf)),
    clients: ids.map((id) => ({
      client_id: `provost-${id}`,
      client_secret: `secret-of-${id}-0123456789abcdef`,
      redirect_uris: [`${installation.origin}/sso/${id}/oidc/callback`],
    })),
  });
  const world = {
    installation,
    provider,
    app,
    document: {
      organizations: ids.map(organization),
      connections: ids.map((id) => pushingConnection(id, {
        oidc: { issuer: provider.issuer, client_id: `provost-${id}`, client_secret: `secret-of-${id}-0123456789abcdef` },
        scim: { join_by: JOIN_KEYS[id].joinBy },
      })),
      applications: [application(app)],
    },
    /** One act of the directory behind a connection. */
    push: (id, act) => runScript('scim/lifecycle.py', [`${installation.origin}/scim/${id}/v2`, JSON.stringify(act)], { env: { SCIM_TOKEN: tokenOf(id) } }),
    /** A person as the directory pushes them. */
    person: (id, name) => ({
      userName: `${name}@${domainOf(id)}`,
      name: { givenName: name, familyName: 'Ek' },
      emails: [{ value: `${name}@${domainOf(id)}`, type: 'work', primary: true }],
      active: true,
      ...JOIN_KEYS[id].pushed(`${name}-${id}`),
    }),
    async stop() {
      await installation.stop();
      await app.stop();
      await provider.stop();
    },
  };
  try {
    await installation.apply(world.document);
    await installation.serve();
    await app.discover(installation.origin);
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

/** Signs a person in through the app; returns the page where it ended. */
export async function signInAs(world, browser, id, name) {
  const login = await browser.open(world.app.loginUrl({ connection: id }));
  return browser.signIn(login, { user: `${name}-${id}`, password: 'pw' });
}
