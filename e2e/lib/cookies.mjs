// A cookie jar (RFC 6265bis) with the two rules on which sign-in across sites stands or falls: SameSite and Secure.

export class CookieJar {
  #cookies = [];

  /** The Cookie header for a top-level request; `from` is the page that caused it, if another. */
  header({ url, method, from }) {
    const crossSite = from !== undefined && site(from) !== site(url);
    return this.#cookies
      .filter((cookie) => cookie.host === url.hostname && url.pathname.startsWith(cookie.path))
      .filter((cookie) => !cookie.secure || isTrustworthy(url))
      .filter((cookie) => !crossSite || crossesSites(cookie, method))
      .map((cookie) => `${cookie.name}=${cookie.value}`)
      .join('; ');
  }

  store(url, headers) {
    for (const header of headers) {
      const cookie = parseSetCookie(url, header);
      this.#cookies = this.#cookies.filter((old) => !(old.name === cookie.name && old.host === cookie.host && old.path === cookie.path));
      if (!cookie.expired) this.#cookies.push(cookie);
    }
  }

  /** The cookies that a host has set, as plain values to look at. */
  of(hostname) {
    return this.#cookies.filter((cookie) => cookie.host === hostname);
  }

  clear(predicate = () => true) {
    this.#cookies = this.#cookies.filter((cookie) => !predicate(cookie));
  }
}

function parseSetCookie(url, header) {
  const [pair, ...attributes] = header.split(';').map((part) => part.trim());
  const at = pair.indexOf('=');
  const named = new Map(attributes.map((attribute) => {
    const [key, ...rest] = attribute.split('=');
    return [key.toLowerCase(), rest.join('=')];
  }));
  const maxAge = named.has('max-age') ? Number(named.get('max-age')) : undefined;
  const expires = named.has('expires') ? Date.parse(named.get('expires')) : undefined;
  return {
    name: pair.slice(0, at),
    value: pair.slice(at + 1),
    host: url.hostname,
    path: named.get('path') || '/',
    secure: named.has('secure'),
    httpOnly: named.has('httponly'),
    sameSite: (named.get('samesite') ?? 'unmarked').toLowerCase(),
    storedAt: Date.now(),
    expired: maxAge !== undefined ? maxAge <= 0 : expires !== undefined && expires <= Date.now(),
  };
}

// Chromium treats an unmarked cookie as Lax, except that for its first two minutes it also goes along with a POST.
const LAX_ALLOWING_POST_MS = 120_000;

function crossesSites(cookie, method) {
  switch (cookie.sameSite) {
    case 'none':
      return true;
    case 'lax':
      return method === 'GET';
    case 'unmarked':
      return method === 'GET' || Date.now() - cookie.storedAt < LAX_ALLOWING_POST_MS;
    default:
      return false;
  }
}

/** Scheme and host stand for the site: every host here is a bare name or address, ports do not matter. */
function site(url) {
  return `${url.protocol}//${url.hostname}`;
}

/** Browsers accept Secure cookies on loopback (W3C Secure Contexts 3.1). */
function isTrustworthy(url) {
  return url.protocol === 'https:' || ['localhost', '127.0.0.1'].includes(url.hostname);
}
