// A world of apps: two of openid-client's, one behind Apache, and two organizations to come from.
import * as client from 'openid-client';
import { exportJWK, generateKeyPair } from 'jose';
import { newInstallation } from '../lib/provost.mjs';
import { reserveApacheApp, startApacheApp } from '../partners/apache-app.mjs';
import { startOpenidApp } from '../partners/openid-app.mjs';
import { startOpenidProvider } from '../partners/openid-provider.mjs';
import { application, connection, domainOf, organization } from './organization.mjs';

export const ORGANIZATIONS = ['north', 'south'];

function peopleOf(id) {
  const person = (name, groups) => [`${name}-${id}`, {
    password: 'pw',
    claims: { email: `${name}@${domainOf(id)}`, email_verified: true, name: `${name} of ${id}`, given_name: name, family_name: id, groups },
  }];
  return Object.fromEntries([person('ann', ['admins']), person('bob', ['staff']), person('cy', ['staff'])]);
}

export async function appsWorld(engine) {
  const installation = await newInstallation(engine);
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const apps = {
    // The secret has every character that HTTP Basic makes difficult.
    portal: await startOpenidApp({ clientId: 'portal-app', clientSecret: 'p%ss: w/rd+&=~-_.!*\'()0123456789abcdef' }),
    wiki: await startOpenidApp({ clientId: 'wiki-app', clientSecret: 'wiki-app-secret-0123456789abcdef' }),
    signer: await startOpenidApp({ clientId: 'signer-app', clientSecret: undefined }),
    native: await startOpenidApp({ clientId: 'native-app', clientSecret: undefined }),
  };
  const reserved = await reserveApacheApp({ clientId: 'apache-app', clientSecret: 'apache-app-secret-0123456789abcdef' });
  const provider = await startOpenidProvider({
    users: Object.assign({}, ...ORGANIZATIONS.map(peopleOf)),
    clients: ORGANIZATIONS.map((id) => ({
      client_id: `provost-${id}`,
      client_secret: `secret-of-${id}-0123456789abcdef`,
      redirect_uris: [`${installation.origin}/sso/${id}/oidc/callback`],
      backchannel_logout_uri: `${installation.origin}/sso/${id}/oidc/backchannel-logout`,
      backchannel_logout_session_required: true,
    })),
  });
  const world = {
    installation,
    provider,
    apps,
    document: {
      organizations: ORGANIZATIONS.map(organization),
      connections: ORGANIZATIONS.map((id) => connection(id, 'oidc', {
        issuer: provider.issuer,
        client_id: `provost-${id}`,
        client_secret: `secret-of-${id}-0123456789abcdef`,
        scopes: ['openid', 'profile', 'email', 'groups'],
      })),
      applications: [
        application(apps.portal),
        application(apps.wiki, { token_endpoint_auth_method: 'client_secret_post', organizations: ['north'] }),
        { ...application(apps.signer), client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'signer-1', use: 'sig', alg: 'ES256' }] } },
        { ...application(apps.native), client_secret: undefined, token_endpoint_auth_method: 'none' },
        application(reserved),
      ],
    },
    async stop() {
      await world.apache?.stop();
      await installation.stop();
      for (const app of Object.values(apps)) await app.stop();
      await provider.stop();
    },
  };
  try {
    await installation.apply(world.document);
    await installation.serve();
    await apps.portal.discover(installation.origin, client.ClientSecretBasic(apps.portal.clientSecret));
    await apps.wiki.discover(installation.origin, client.ClientSecretPost(apps.wiki.clientSecret));
    await apps.signer.discover(installation.origin, client.PrivateKeyJwt({ key: privateKey, kid: 'signer-1' }));
    await apps.native.discover(installation.origin, client.None());
    world.apache = await startApacheApp(reserved, installation.origin, { organizations: ORGANIZATIONS });
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

/** Signs a person in through one of the openid-client apps; returns the page where it ended. */
export async function signIn(world, browser, { app = 'portal', who = 'ann', organization: id = 'north', ...parameters } = {}) {
  const login = await browser.open(world.apps[app].loginUrl({ connection: id, ...parameters }));
  return browser.signIn(login, { user: `${who}-${id}`, password: 'pw' });
}
