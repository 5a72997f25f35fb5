// An OpenID provider that asks nothing: whoever the request's login_hint names is signed in at once.
// It costs next to nothing, so that a crash test can sign in thousands of people. Real providers are in partners/.
import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** `lag` is how many milliseconds the token endpoint takes: a window in which a sign-in is under way. */
export async function startInstantProvider({ clientId, lag = 0 }) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { privateKey, jwk: { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'instant', use: 'sig', alg: 'ES256' } };
  const codes = new Map();
  /** `asked` counts requests to the token endpoint. */
  const provider = { lag, asked: 0 };
  const routes = {
    '/.well-known/openid-configuration': () => json(discovery(provider.issuer)),
    '/jwks': () => json({ keys: [key.jwk] }),
    '/authorize': ({ query }) => authorize(provider, codes, query),
    '/token': ({ form }) => token(provider, codes, key, clientId, form),
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    let body = '';
    for await (const chunk of request) body += chunk;
    const answer = await (routes[url.pathname] ?? (() => ({ status: 404 })))({ query: url.searchParams, form: new URLSearchParams(body) });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  provider.issuer = `http://127.0.0.1:${server.address().port}`;
  provider.stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return provider;
}

function discovery(issuer) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    token_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
}

function authorize(provider, codes, query) {
  const code = randomBytes(16).toString('hex');
  codes.set(code, { email: query.get('login_hint'), nonce: query.get('nonce') });
  const back = new URL(query.get('redirect_uri'));
  for (const [name, value] of Object.entries({ code, state: query.get('state'), iss: provider.issuer })) back.searchParams.set(name, value);
  return { status: 302, headers: { location: back.href } };
}

async function token(provider, codes, key, clientId, form) {
  provider.asked += 1;
  const granted = codes.get(form.get('code'));
  codes.delete(form.get('code'));
  if (provider.lag > 0) await new Promise((resolve) => setTimeout(resolve, provider.lag));
  if (!granted) return json({ error: 'invalid_grant' }, 400);
  const [name] = granted.email.split('@');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: provider.issuer, sub: name, aud: clientId, iat: now, auth_time: now, exp: now + 300, nonce: granted.nonce,
    email: granted.email, email_verified: true, given_name: name, family_name: 'Instant', groups: ['staff'],
  };
  return json({ access_token: randomBytes(16).toString('hex'), token_type: 'Bearer', expires_in: 300, id_token: jws(key, claims) });
}

function jws({ privateKey, jwk }, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'ES256', kid: jwk.kid, typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function json(value, status = 200) {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
