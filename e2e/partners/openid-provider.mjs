// oidc-provider as a customer's OpenID provider: people with passwords, and every client authentication and signing
// algorithm that a test asks for. It runs inside the test process, so a test can turn its keys and end its sessions.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const ALGORITHMS = { RS256: {}, PS256: {}, ES256: {}, EdDSA: { crv: 'Ed25519' } };

/**
 * `users`: login name => { password, claims }. `clients`: oidc-provider's own client metadata.
 * The issuer says `localhost` while the product says 127.0.0.1: two sites for a browser.
 */
export async function startOpenidProvider({ users, clients, algorithms = Object.keys(ALGORITHMS), features = {} }) {
  const requests = [];
  let handle = (request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => {
    requests.push({ method: request.method, path: request.url.split('?')[0] });
    handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://localhost:${server.address().port}`;

  const failures = [];
  let keys = await makeKeys(algorithms, 'first');
  let provider;
  // A new provider on the same address is how its keys turn; sessions and clients start afresh.
  const configure = () => {
    provider = new Provider(issuer, configuration({ users, clients, keys, features }));
    provider.on('server_error', (_, error) => failures.push(error));
    provider.on('backchannel.error', (_, error) => failures.push(error));
    provider.on('grant.error', (_, error) => failures.push(error));
    handle = withLoginPage(provider, users);
  };
  configure();

  return {
    issuer,
    requests,
    /** Errors inside the provider or in its back-channel calls: a scenario that expects none asserts on it. */
    failures,
    users,
    /** Every client metadata document that the provider has, by client id. */
    clients,
    /** Adds an application, as its administrator does while setting up single sign-on. */
    register(client) {
      clients.push(client);
      configure();
    },
    async turnKeys(name, { keepOld = false } = {}) {
      const fresh = await makeKeys(algorithms, name);
      keys = keepOld ? [...fresh, ...keys] : fresh;
      configure();
    },
    get logoutUrl() {
      return `${issuer}/session/end`;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function configuration({ users, clients, keys, features }) {
  return {
    clients,
    jwks: { keys },
    cookies: { keys: ['loopback-only-not-a-secret'] },
    findAccount: (_, login) => users[login] && { accountId: login, claims: () => ({ sub: login, ...users[login].claims }) },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    // Its users have agreed beforehand, as an organization does for its people.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope(ctx.oidc.params.scope);
      await grant.save();
      return grant;
    },
    claims: {
      openid: ['sub', 'amr'],
      email: ['email', 'email_verified'],
      profile: ['name', 'given_name', 'family_name', 'preferred_username', 'updated_at'],
      groups: ['groups'],
    },
    scopes: ['openid', 'offline_access'],
    // Off: claims of requested scopes arrive in the ID token too, as most enterprise providers send them.
    conformIdTokenClaims: features.conformIdTokenClaims ?? false,
    responseTypes: ['code'],
    enabledJWA: {
      idTokenSigningAlgValues: Object.keys(ALGORITHMS),
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: askNobody, postLogoutSuccessSource: signedOut },
      userinfo: { enabled: true },
    },
    // Its own guard refuses every call to loopback, where all our programs live: drop the guarded dispatcher.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Grant: 3600, Session: 3600, RefreshToken: 3600 },
    renderError: (ctx, out, error) => {
      ctx.type = 'text';
      ctx.body = `${out.error}: ${out.error_description ?? ''} ${error.error_detail ?? ''}`;
    },
  };
}

async function makeKeys(algorithms, name) {
  return Promise.all(algorithms.map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true, ...ALGORITHMS[alg] });
    return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${name}-${alg}` };
  }));
}

/** Puts a plain login form in front of the provider's own routes. */
function withLoginPage(provider, users) {
  const callback = provider.callback();
  return async (request, response) => {
    const uid = /^\/interaction\/([\w-]+)$/.exec(request.url)?.[1];
    if (!uid) return callback(request, response);
    try {
      if (request.method === 'GET') return loginPage(response, uid);
      const form = new URLSearchParams(await text(request));
      const login = form.get('login');
      if (users[login]?.password !== form.get('password')) return loginPage(response, uid, 'Wrong name or password');
      await provider.interactionFinished(request, response, { login: { accountId: login, amr: ['pwd'] } });
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
    }
  };
}

function loginPage(response, uid, message = '') {
  response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>Sign in</title><p>${message}</p>
    <form method="post" action="/interaction/${uid}"><input name="login" type="text"><input name="password" type="password">
    <button>Sign in</button></form>`);
}

async function text(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

/** The question before a logout, with yes pressed already by a script. */
function askNobody(ctx, form) {
  ctx.body = `<!doctype html><title>Sign out</title><body onload="document.forms[0].submit()">
    ${form.replace('</form>', '<input type="hidden" name="logout" value="yes"></form>')}</body>`;
}

function signedOut(ctx) {
  ctx.body = '<!doctype html><title>Signed out</title><p>Signed out of the customer\'s provider</p>';
}
