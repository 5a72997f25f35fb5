// A world with one OpenID provider and many connections to it: each is one way of authenticating and signing.
import { calculateJwkThumbprint, exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import { newInstallation } from '../lib/provost.mjs';
import { startOpenidApp } from '../partners/openid-app.mjs';
import { startOpenidProvider } from '../partners/openid-provider.mjs';
import { application, connection, domainOf, organization } from './organization.mjs';

/** By connection: how we authenticate (RFC 6749, RFC 7523) and how ID tokens are signed. */
export const WAYS = {
  'basic-rs256': { method: 'client_secret_basic', algorithm: 'RS256' },
  'post-ps256': { method: 'client_secret_post', algorithm: 'PS256' },
  'key-es256': { method: 'private_key_jwt', algorithm: 'ES256' },
  'public-eddsa': { method: 'none', algorithm: 'EdDSA' },
  // RFC 6749 2.3.1: id and secret are form-encoded inside HTTP Basic; half of all clients get this wrong.
  'odd-secret': { method: 'client_secret_basic', algorithm: 'RS256', secret: 'p%ss: w/rd+&=~-_.!*\'()0123456789' },
};

/** Connections with a purpose of their own. */
const OTHERS = {
  'signs-out': { method: 'client_secret_basic', algorithm: 'RS256', ours: { upstream_logout: true } },
};

const ALL = { ...WAYS, ...OTHERS };

function peopleOf(id) {
  const person = (name, given, family, groups, others = {}) => [`${name}-${id}`, {
    password: 'pw',
    claims: { email: `${name}@${domainOf(id)}`, email_verified: true, name: `${given} ${family}`, given_name: given, family_name: family, groups, ...others },
  }];
  return Object.fromEntries([
    person('ann', 'Ann', 'Ek', ['admins', 'staff']),
    person('bob', 'Bob', 'Öz', ['staff']),
    // Carol has an account made by hand; this one only says that it is her.
    person('carol', 'Carol', 'Lund', ['staff'], { email_verified: false }),
    person('eve', 'Eve', 'Ng', ['admins'], { email: 'eve@elsewhere.example' }),
  ]);
}

export async function oidcWorld(engine) {
  const ids = Object.keys(ALL);
  const installation = await newInstallation(engine);
  const app = await startOpenidApp({ clientId: 'portal-app', clientSecret: 'portal-app-secret-0123456789abcdef' });
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  // Our key id is the thumbprint (RFC 7638); a provider that compares key ids needs it.
  const clientKey = { pem: await exportPKCS8(privateKey), jwk: { ...jwk, kid: await calculateJwkThumbprint(jwk), use: 'sig', alg: 'ES256' } };
  const provider = await startOpenidProvider({
    users: Object.assign({}, ...ids.map(peopleOf)),
    clients: ids.map((id) => upstreamClient(installation, id, ALL[id], clientKey)),
  });
  const world = {
    installation,
    provider,
    app,
    document: {
      organizations: ids.map(organization),
      connections: ids.map((id) => connection(id, 'oidc', ourSide(provider, id, ALL[id], clientKey))),
      applications: [application(app)],
      users: ids.map((id) => ({ email: `carol@${domainOf(id)}`, given_name: 'Carol', family_name: 'Lund', kind: 'user', memberships: [{ organization: id, roles: ['admin'] }] })),
    },
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

function upstreamClient(installation, id, way, clientKey) {
  return {
    client_id: `provost-${id}`,
    ...(way.method.startsWith('client_secret') ? { client_secret: secretOf(id, way) } : {}),
    ...(way.method === 'private_key_jwt' ? { jwks: { keys: [clientKey.jwk] }, token_endpoint_auth_signing_alg: 'ES256' } : {}),
    token_endpoint_auth_method: way.method,
    id_token_signed_response_alg: way.algorithm,
    redirect_uris: [`${installation.origin}/sso/${id}/oidc/callback`],
    post_logout_redirect_uris: [`${installation.origin}/sso/${id}/oidc/logged-out`],
    backchannel_logout_uri: `${installation.origin}/sso/${id}/oidc/backchannel-logout`,
    backchannel_logout_session_required: true,
  };
}

function ourSide(provider, id, way, clientKey) {
  return {
    issuer: provider.issuer,
    client_id: `provost-${id}`,
    client_authentication: way.method,
    ...(way.method.startsWith('client_secret') ? { client_secret: secretOf(id, way) } : {}),
    ...(way.method === 'private_key_jwt' ? { client_key: clientKey.pem } : {}),
    scopes: ['openid', 'profile', 'email', 'groups'],
    ...way.ours,
  };
}

function secretOf(id, way) {
  return way.secret ?? `secret-of-${id}-0123456789abcdef`;
}

/** Signs a person in through the app and a connection; returns the page where it ended. */
export async function signInThrough(world, browser, id, who = 'ann') {
  const login = await browser.open(world.app.loginUrl({ connection: id }));
  return browser.signIn(login, { user: `${who}-${id}`, password: 'pw' });
}
