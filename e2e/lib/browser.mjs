// A browser without a screen: cookies with SameSite, redirects, and the form that a page posts by itself.
// It runs no script and draws nothing; real pages are looked at with Chromium in pages.test.mjs.
import { request as httpRequest } from 'node:http';
import { CookieJar } from './cookies.mjs';
import { Page } from './page.mjs';

const MAX_HOPS = 40;

export class Browser {
  constructor() {
    this.cookies = new CookieJar();
    /** Every request made, newest last: what a failure message shows. */
    this.hops = [];
  }

  /** Opens a page as if the address had been typed, and goes wherever it leads. */
  async open(url) {
    return this.follow(await this.#request({ method: 'GET', url: new URL(url) }));
  }

  /** Follows a link of `page`, so that it counts as coming from that page's site. */
  async click(page, href) {
    return this.follow(await this.#request({ method: 'GET', url: new URL(href, page.url), from: page.url }));
  }

  /** Sends a form of `page` with `values` filled in, and goes wherever it leads. */
  async submit(page, form, values = {}) {
    return this.follow(await this.#send(page, form, values));
  }

  /** Fills the first form with a password field, as `{ user, password }`, and sends it. */
  async signIn(page, { user, password }) {
    const form = page.forms.find((each) => each.fieldOfType('password'));
    if (!form) throw new Error(`no password form at ${page.url}\n${this.story()}\n${page.text}`);
    const name = form.fieldOfType('email') ?? form.fieldOfType('text');
    return this.submit(page, form, { [name]: user, [form.fieldOfType('password')]: password });
  }

  /** Follows redirects and self-posting forms from `page` on, until a page waits for a person. */
  async follow(page) {
    let at = page;
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      const location = at.status >= 300 && at.status < 400 ? at.headers.get('location') : null;
      if (location) {
        at = await this.#request({ ...at.redirectTo(location), from: at.from });
        continue;
      }
      const form = at.selfPostingForm();
      if (!form) return at;
      at = await this.#send(at, form, {});
    }
    throw new Error(`more than ${MAX_HOPS} hops\n${this.story()}`);
  }

  /** One request, with no redirect followed; `from` is the page that caused it. */
  async fetch(url, { method = 'GET', body, headers, from } = {}) {
    return this.#request({ method, url: new URL(url), body, headers, from });
  }

  /** The requests so far, one a line, without their secrets. */
  story() {
    return this.hops.map((hop) => `${hop.status} ${hop.method} ${hop.url.origin}${hop.url.pathname}`).join('\n');
  }

  async #send(page, form, values) {
    const { method, url, body } = form.toRequest(values);
    return this.#request({ method, url, body, from: page.url, headers: method === 'POST' ? { origin: originFor(page, url) } : {} });
  }

  async #request({ method, url, body, headers = {}, from }) {
    const cookie = this.cookies.header({ url, method, from });
    const sent = body instanceof URLSearchParams ? body.toString() : body;
    const response = await exchange(url, method, sent, {
      accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      'accept-language': 'en',
      'user-agent': 'Mozilla/5.0 provost-e2e',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'sec-fetch-site': from === undefined ? 'none' : siteRelation(from, url),
      ...(cookie ? { cookie } : {}),
      ...(body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      ...(method === 'POST' ? { origin: (from ?? url).origin } : {}),
      ...headers,
    });
    this.cookies.store(url, response.headers.getSetCookie());
    this.hops.push({ method, url, status: response.status });
    return new Page({ method, url, from, body, ...response });
  }
}

// A server that refuses a large body by its length closes the connection, and the answer would drown in the write error:
// bodies of this size wait for its leave (RFC 9110 10.1.1).
const ASK_FIRST_BYTES = 1024 * 1024;

// Not `fetch`: it marks every request as one made by a script, which servers rightly answer differently.
function exchange(url, method, body, headers) {
  const length = body ? Buffer.byteLength(body) : 0;
  const asksFirst = length > ASK_FIRST_BYTES;
  const sent = { ...headers, ...(body ? { 'content-length': length } : {}), ...(asksFirst ? { expect: '100-continue' } : {}) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: sent, signal: AbortSignal.timeout(20_000), agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const received = new Headers();
        for (let at = 0; at < response.rawHeaders.length; at += 2) received.append(response.rawHeaders[at], response.rawHeaders[at + 1]);
        resolve({ status: response.statusCode, headers: received, text: Buffer.concat(chunks).toString('utf8') });
        if (!request.writableEnded) request.destroy();
      });
    });
    request.on('error', (error) => reject(new Error(`${method} ${url.origin}${url.pathname}: ${error.message}`, { cause: error })));
    if (asksFirst) {
      request.on('continue', () => request.end(body));
      request.flushHeaders();
    } else {
      request.end(body);
    }
  });
}

/** What a browser says about where a posted form came from (Fetch 3.2): a page's Referrer-Policy can silence it. */
function originFor(page, target) {
  const policy = page.headers.get('referrer-policy') ?? 'strict-origin-when-cross-origin';
  const silent = policy === 'no-referrer' || (policy === 'same-origin' && page.url.origin !== target.origin);
  return silent ? 'null' : page.url.origin;
}

function siteRelation(from, to) {
  if (from.origin === to.origin) return 'same-origin';
  return from.hostname === to.hostname ? 'same-site' : 'cross-site';
}
