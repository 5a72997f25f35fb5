// A customer-facing app that signs people in with openid-client: the program a developer would write against us.
// It checks ID-token signatures itself, keeps its tokens, and remembers every back-channel logout it receives.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Opens the app's port first, so that its redirect URI can be registered before the provider is there. */
export async function startOpenidApp({ clientId, clientSecret, scope = 'openid email profile offline_access' }) {
  const sessions = new Map();
  const app = { clientId, clientSecret, scope, sessions, logouts: [], config: undefined };
  const server = createServer((request, response) => {
    route(app, request, response).catch((error) => {
      app.lastError = error;
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.error ?? error.code ?? ''}: ${error.error_description ?? error.message}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  app.origin = `http://127.0.0.1:${server.address().port}`;
  app.redirectUri = `${app.origin}/callback`;
  app.loggedOutUri = `${app.origin}/goodbye`;
  app.backchannelLogoutUri = `${app.origin}/backchannel-logout`;

  /** Reads the provider's discovery document; `authentication` is one of openid-client's client authentications. */
  app.discover = async (issuer, authentication = client.ClientSecretBasic(clientSecret)) => {
    app.config = await client.discovery(new URL(issuer), clientId, clientSecret, authentication, { execute: [client.allowInsecureRequests] });
    // Without this the library trusts TLS and does not look at the signature of an ID token from the token endpoint.
    client.enableNonRepudiationChecks(app.config);
    app.keys = createRemoteJWKSet(new URL(app.config.serverMetadata().jwks_uri));
  };
  /** Where a person starts; the parameters are passed on to the provider. */
  app.loginUrl = (parameters = {}) => `${app.origin}/login?${new URLSearchParams(parameters)}`;
  app.refresh = (session) => client.refreshTokenGrant(app.config, session.tokens.refresh_token);
  app.introspect = (token) => client.tokenIntrospection(app.config, token);
  app.revoke = (token) => client.tokenRevocation(app.config, token);
  app.userinfo = (session) => client.fetchUserInfo(app.config, session.tokens.access_token, session.claims.sub);
  app.sessionOf = (page) => sessions.get(JSON.parse(page.text).session);
  app.stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return app;
}

async function route(app, request, response) {
  const url = new URL(request.url, app.origin);
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /login':
      return login(app, url, response);
    case 'GET /callback':
      return callback(app, url, request, response);
    case 'GET /me':
      return me(app, request, response);
    case 'GET /logout':
      return logout(app, request, response);
    case 'GET /goodbye':
      return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Goodbye</title>');
    case 'POST /backchannel-logout':
      return backchannelLogout(app, request, response);
    default:
      return response.writeHead(404).end();
  }
}

async function login(app, url, response) {
  const { iss, ...parameters } = Object.fromEntries(url.searchParams);
  // A sign-in that somebody else began (OpenID Connect Core 4): only for the provider that we know.
  if (iss && iss !== app.config.serverMetadata().issuer) return response.writeHead(400).end('unknown issuer');
  const verifier = client.randomPKCECodeVerifier();
  const pending = { verifier, state: client.randomState(), nonce: client.randomNonce() };
  const address = client.buildAuthorizationUrl(app.config, {
    redirect_uri: app.redirectUri,
    scope: app.scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: pending.state,
    nonce: pending.nonce,
    ...parameters,
  });
  const cookie = Buffer.from(JSON.stringify(pending)).toString('base64url');
  response.writeHead(302, { location: address.href, 'set-cookie': `${app.clientId}_pending=${cookie}; Path=/; HttpOnly; SameSite=Lax` }).end();
}

async function callback(app, url, request, response) {
  const pending = JSON.parse(Buffer.from(cookie(request, `${app.clientId}_pending`) ?? '', 'base64url').toString());
  const tokens = await client.authorizationCodeGrant(app.config, url, {
    pkceCodeVerifier: pending.verifier,
    expectedState: pending.state,
    expectedNonce: pending.nonce,
    idTokenExpected: true,
  });
  const id = randomBytes(16).toString('hex');
  const claims = tokens.claims();
  app.sessions.set(id, { id, tokens, claims, ended: false });
  response.writeHead(302, { location: '/me', 'set-cookie': `${app.clientId}_session=${id}; Path=/; HttpOnly; SameSite=Lax` }).end();
}

/** The page behind the sign-in: as JSON, because tests are its only readers. */
function me(app, request, response) {
  const session = app.sessions.get(cookie(request, `${app.clientId}_session`));
  if (!session || session.ended) return response.writeHead(401, { 'content-type': 'text/plain' }).end('signed out');
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ app: app.clientId, session: session.id, claims: session.claims }));
}

function logout(app, request, response) {
  const session = app.sessions.get(cookie(request, `${app.clientId}_session`));
  if (session) session.ended = true;
  const address = client.buildEndSessionUrl(app.config, {
    post_logout_redirect_uri: app.loggedOutUri,
    state: 'bye',
    ...(session ? { id_token_hint: session.tokens.id_token } : {}),
  });
  response.writeHead(302, { location: address.href }).end();
}

/** OpenID Connect Back-Channel Logout 1.0, section 2.6: what a relying party checks before it ends sessions. */
async function backchannelLogout(app, request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { issuer } = app.config.serverMetadata();
  const { payload, protectedHeader } = await jwtVerify(new URLSearchParams(body).get('logout_token'), app.keys, { issuer, audience: app.clientId });
  const problem = logoutTokenProblem(payload, protectedHeader);
  app.logouts.push({ payload, protectedHeader, problem });
  if (problem) return response.writeHead(400).end(problem);
  for (const session of app.sessions.values()) {
    if (payload.sid ? session.claims.sid === payload.sid : session.claims.sub === payload.sub) session.ended = true;
  }
  response.writeHead(200, { 'cache-control': 'no-store' }).end();
}

function logoutTokenProblem(payload, header) {
  if (header.typ?.toLowerCase() !== 'logout+jwt') return `typ ${header.typ}`;
  if (typeof payload.events?.[LOGOUT_EVENT] !== 'object') return 'no logout event';
  if (payload.nonce !== undefined) return 'a nonce';
  if (!payload.sub && !payload.sid) return 'neither sub nor sid';
  if (!payload.jti || !payload.iat || !payload.exp) return 'jti, iat or exp missing';
  return undefined;
}

function cookie(request, name) {
  const pair = (request.headers.cookie ?? '').split('; ').find((each) => each.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
