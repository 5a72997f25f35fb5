// One person with one browser and one app session, driven request by request, so that a test knows exactly which answers
// arrived. Never retries by itself: what to do after a cut connection is the test's business.
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { CookieJar } from '../lib/cookies.mjs';
import { parse } from 'node-html-parser';
import { APP } from './world.mjs';

const MAX_HOPS = 15;
let born = 0;

/** No answer arrived: refused, reset, or closed before the whole answer was there. */
export class Cut extends Error {}

/** An answer arrived, and it is not the one that an honest person deserves. */
export class Unexpected extends Error {}

export class Person {
  constructor(world, name) {
    this.world = world;
    this.name = name;
    this.email = `${name}@acme.example`;
    this.cookies = new CookieJar();
    born += 1;
    /** Her own client address: 10.x.x.x, never met twice. */
    this.address = `10.${(born >> 16) & 255}.${(born >> 8) & 255}.${born & 255}`;
  }

  /** Signs in through the app and the identity provider, on `node`; returns the code that the app gets. */
  async signIn(node = this.world) {
    return this.arrive(await this.depart(node), node);
  }

  /** Goes as far as the identity provider's answer; returns the address that brings it to us. */
  async depart(node = this.world) {
    const answer = await this.follow(this.#start(node), node, (url) => url.pathname.endsWith('/oidc/callback'));
    if (answer.status !== 302) throw new Unexpected(`sign-in of ${this.name} stopped at ${answer.status} ${answer.url} ${summary(answer)}`);
    return answer.url;
  }

  /** Goes on from the identity provider's answer to the app. */
  async arrive(callback, node = this.world) {
    const end = await this.follow(callback, node);
    const code = end.url.searchParams.get('code');
    if (!end.url.href.startsWith(APP.redirectUri) || !code) throw new Unexpected(`sign-in of ${this.name} ended at ${end.status} ${end.url} ${summary(end)}`);
    if (end.url.searchParams.get('state') !== this.state) throw new Unexpected('the state came back changed');
    this.code = code;
    return code;
  }

  #start(node) {
    this.state = randomBytes(8).toString('hex');
    this.verifier = randomBytes(32).toString('base64url');
    const start = new URL('/oauth2/authorize', node.origin);
    start.search = new URLSearchParams({
      client_id: APP.clientId,
      redirect_uri: APP.redirectUri,
      response_type: 'code',
      scope: 'openid email offline_access',
      state: this.state,
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      connection: 'acme',
      login_hint: this.email,
    });
    return start;
  }

  /** Follows redirects until one leads to the app or where `isEnd` says, or a page is shown. */
  async follow(start, node = this.world, isEnd = () => false) {
    let url = start;
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      if (url.href.startsWith(APP.redirectUri) || isEnd(url)) return { status: 302, url };
      const answer = await this.send('GET', url, { node });
      if (answer.status < 300 || answer.status >= 400) return { ...answer, url };
      url = new URL(answer.headers.location, url);
    }
    throw new Unexpected(`more than ${MAX_HOPS} redirects, last ${url}`);
  }

  /** The app exchanges a code; fills `tokens`. */
  async redeem(node = this.world, code = this.code) {
    this.tokens = await this.token(node, { grant_type: 'authorization_code', code, redirect_uri: APP.redirectUri, code_verifier: this.verifier });
    this.claims = JSON.parse(Buffer.from(this.tokens.id_token.split('.')[1], 'base64url'));
    return this.tokens;
  }

  /** The app rotates its refresh token; fills `tokens`. */
  async refresh(node = this.world) {
    this.tokens = await this.token(node, { grant_type: 'refresh_token', refresh_token: this.tokens.refresh_token });
    return this.tokens;
  }

  async token(node, fields) {
    const answer = await this.app('/oauth2/token', fields, node);
    if (answer.status !== 200) throw new Unexpected(`${fields.grant_type} of ${this.name}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text);
  }

  /** A request of the app, with its credentials. */
  app(path, fields, node = this.world) {
    const authorization = `Basic ${Buffer.from(`${APP.clientId}:${APP.clientSecret}`).toString('base64')}`;
    return this.send('POST', new URL(path, node.origin), { node, form: fields, headers: { authorization }, anonymous: true });
  }

  async userinfo(node = this.world) {
    const headers = { authorization: `Bearer ${this.tokens.access_token}` };
    return this.send('GET', new URL('/oauth2/userinfo', node.origin), { node, headers, anonymous: true });
  }

  /** Whether her browser is still signed in. */
  async isSignedIn(node = this.world) {
    const { status, text } = await this.send('GET', new URL('/account', node.origin), { node });
    if (status !== 200 && status !== 303) throw new Unexpected(`/account: ${status} ${text}`);
    return status === 200;
  }

  async signOut(node = this.world) {
    const page = await this.send('GET', new URL('/logout', node.origin), { node });
    const answer = await this.submit(page, '/logout', {}, node);
    if (answer.status >= 400) throw new Unexpected(`/logout: ${answer.status} ${summary(answer)}`);
  }

  /** Fills the password form in; returns what came back. */
  async signInWithPassword(password, node = this.world) {
    const page = await this.send('GET', new URL('/login/password', node.origin), { node });
    return this.submit(page, '/login/password', { email: this.email, password }, node);
  }

  /** Sends a page's form with its hidden fields. */
  submit(page, action, values, node = this.world) {
    const fields = {};
    for (const input of parse(page.text).querySelectorAll(`form[action="${action}"] input[type=hidden]`)) fields[input.getAttribute('name')] = input.getAttribute('value');
    return this.send('POST', new URL(action, node.origin), { node, form: { ...fields, ...values }, headers: { origin: this.world.origin } });
  }

  /** The session cookie's digest: how the database knows the session. */
  get sessionDigest() {
    const cookie = this.cookies.of('127.0.0.1').find(({ name }) => name === 'provost_session');
    return cookie && digest(cookie.value);
  }

  /** One request to `node`, whichever address our pages say: a load balancer in front would do the same. */
  async send(method, url, { node = this.world, form, headers = {}, anonymous = false } = {}) {
    const at = url.origin === this.world.origin ? new URL(url.pathname + url.search, node.origin) : url;
    const cookie = anonymous ? '' : this.cookies.header({ url: at, method });
    const body = form && new URLSearchParams(form).toString();
    const answer = await exchange(at, method, body, {
      accept: 'text/html,*/*',
      'x-forwarded-for': this.address,
      ...(cookie ? { cookie } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }),
      ...headers,
    });
    this.world.answers += 1;
    if (!anonymous) this.cookies.store(at, answer.headers['set-cookie'] ?? []);
    if (answer.status >= 500) throw new Unexpected(`${method} ${at.pathname}: ${answer.status} ${summary(answer)}`);
    return answer;
  }
}

export function digest(token) {
  return createHash('sha256').update(token).digest('hex');
}

/** One exchange on a connection of its own; anything but a whole answer is a [`Cut`]. */
export function exchange(url, method, body, headers) {
  return new Promise((resolve, reject) => {
    const cut = (why) => reject(new Cut(`${method} ${url.pathname}: ${why}`));
    const request = httpRequest(url, { method, headers, agent: false, timeout: 20_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      response.on('error', (error) => cut(error.code ?? error.message));
      response.on('close', () => (response.complete ? resolve({ status: response.statusCode, headers: response.headers, text }) : cut('incomplete')));
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('no answer within 20 s'), { code: 'TIMEOUT' })));
    request.on('error', (error) => cut(error.code ?? error.message));
    request.end(body);
  });
}

/** The words of a page, or the start of anything else. */
export function summary({ text = '' }) {
  return text.replace(/<(head|style)[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ').trim().slice(0, 400);
}
