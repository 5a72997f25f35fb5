// Set-up links over HTTP, by a browser that has nothing but the link: no account is needed, page by page nothing beyond
// the scope is reached, and a link that is too old, taken back, used up or made up opens nothing.
import assert from 'node:assert/strict';
import { Browser } from './lib/browser.mjs';
import { newInstallation } from './lib/provost.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { CONTOSO } from './worlds/setup.mjs';

/** Each step with the scope that it takes. */
const STEPS = { domain: 'domain', values: 'sso', test: 'sso', mode: 'sso', scim: 'scim', policy: 'sso', review: 'sso' };
const SCOPES = [['domain'], ['sso'], ['scim'], ['domain', 'sso'], ['domain', 'scim'], ['sso', 'scim'], ['domain', 'sso', 'scim']];

async function linksWorld(engine) {
  const installation = await newInstallation(engine);
  const live = (id, organization) => ({ id, organization, protocol: 'oidc', provisioning: 'scim', oidc: { issuer: 'https://login.example', client_id: 'provost', client_secret: 'secret-0123456789abcdef' } });
  await installation.apply({
    ...CONTOSO,
    organizations: [...CONTOSO.organizations, { id: 'globex', name: 'Globex', roles: [{ id: 'owner', name: 'Owner', owner: true }] }],
    connections: [live('contoso-live', 'contoso'), live('globex-live', 'globex')],
  });
  const { stdout } = await installation.cli(['api-key', 'create', '--label', 'e2e']);
  const key = /pvk_[A-Za-z0-9_-]+/.exec(stdout)[0];
  await installation.serve();
  const world = {
    installation,
    stop: () => installation.stop(),
    async api(method, path, body) {
      const answer = await fetch(`${installation.origin}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: body && JSON.stringify(body),
      });
      const text = await answer.text();
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return text && JSON.parse(text);
    },
    link: (body) => world.api('POST', '/organizations/contoso/setup-links', { label: 'Ivo', ...body }),
    at: (path) => `${installation.origin}${path}`,
  };
  world.draft = await beginDraft(world);
  return world;
}

/** A draft with values, begun by a link: its connection. */
async function beginDraft(world) {
  const browser = new Browser();
  const { url } = await world.link({});
  const choose = await browser.open(url);
  assert.equal(choose.url.pathname, '/setup/connections/new');
  const domain = await browser.submit(choose, formTo(choose, 'guide'), { guide: 'oidc.oidc' });
  const id = /connections\/([^/]+)\/setup\/domain$/.exec(domain.url.pathname)[1];
  const values = await browser.open(world.at(`/setup/connections/${id}/setup/values`));
  const saved = await browser.submit(values, formTo(values, 'issuer'), { issuer: 'https://login.contoso.example', client_id: 'provost', client_secret: 'secret-0123456789abcdef' });
  assert.match(saved.url.pathname, /setup\/test$/, saved.words);
  return id;
}

const formTo = (page, field) => {
  const form = page.forms.find((each) => each.has(field));
  assert.ok(form, `no form with ${field} at ${page.url}: ${page.words}`);
  return form;
};

const steps = (id) => Object.keys(STEPS).map((step) => `/setup/connections/${id}/setup/${step}`);

/** What each page answers to a link with these scopes that is for the draft. */
function expected(scopes, draft) {
  const answers = {
    '/setup/domain': scopes.includes('domain') ? 200 : 403,
    '/setup/connections/new': scopes.includes('sso') ? 200 : 403,
    '/setup/colleague': 200,
  };
  for (const [step, scope] of Object.entries(STEPS)) {
    const open = scopes.includes(scope);
    answers[`/setup/connections/${draft}/setup/${step}`] = open ? 200 : 403;
    for (const other of ['contoso-live', 'globex-live', 'no-such-connection']) {
      answers[`/setup/connections/${other}/setup/${step}`] = open ? 404 : 403;
    }
  }
  if (!scopes.includes('scim')) answers[`/setup/connections/${draft}/setup/scim/events`] = 403;
  return answers;
}

async function everythingIsSame(world, before) {
  assert.deepEqual(await state(world), before);
}

const state = async (world) => ({
  connections: await world.api('GET', '/connections'),
  accounts: (await world.api('GET', '/accounts')).items.map(({ email }) => email),
});

onEachEngine('set-up links over HTTP', linksWorld, (scenario) => {
  for (const scopes of SCOPES) {
    scenario(`r181 page by page, a link for ${scopes.join(' and ')} reaches that and nothing else`, async ({ world, browser }) => {
      const before = await state(world);
      const visitor = browser();
      const { url } = await world.link({ scopes, connection: world.draft });
      const entrance = await visitor.open(url);
      assert.equal(entrance.status, 200, entrance.words);
      assert.ok(!entrance.url.href.includes('pvl_'), 'the token leaves the address');
      const token = formTo(entrance, 'form_token').value('form_token');
      for (const [path, status] of Object.entries(expected(scopes, world.draft))) {
        const page = await visitor.fetch(world.at(path));
        assert.equal(page.status, status, `GET ${path}: ${page.words}`);
        if (status === 200 || path.endsWith('/events')) continue;
        const body = new URLSearchParams({ form_token: token, guide: 'okta.saml', claim: 'stolen.example', mode: 'manual', role: 'Owner', issuer: 'https://evil.example', client_id: 'x', label: 'x', make: '1' });
        const sent = await visitor.fetch(world.at(path), { method: 'POST', body });
        assert.equal(sent.status, status, `POST ${path}: ${sent.words}`);
      }
      for (const id of ['contoso-live', 'globex-live']) {
        const discarded = await visitor.fetch(world.at(`/setup/connections/${id}/setup/discard`), { method: 'POST', body: new URLSearchParams({ form_token: token }) });
        assert.equal(discarded.status, scopes.includes('sso') ? 404 : 403);
      }
      // The link is no session: neither the console, nor an account, nor the API.
      for (const path of ['/console', '/console/contoso', '/console/contoso/users', '/console/contoso/setup-links', '/console/operator', '/account', '/account/security']) {
        const page = await visitor.open(world.at(path));
        assert.match(page.url.pathname, /^\/login/, path);
      }
      for (const path of ['/organizations', '/connections', '/accounts', '/organizations/contoso/setup-links']) {
        assert.equal((await visitor.fetch(world.at(`/api/v1${path}`))).status, 401, path);
      }
      await everythingIsSame(world, before);
    });
  }

  scenario('r181 without any link, and with one that is made up, there is nothing', async ({ world, browser }) => {
    for (const path of ['/setup', '/setup/domain', '/setup/connections/new', '/setup/colleague', ...steps(world.draft), '/setup/pvl_made-up', `/setup/pvl_${'a'.repeat(43)}`, '/setup/nothing']) {
      const page = await browser().open(world.at(path));
      assert.equal(page.status, 403, path);
      opensNothing(page);
    }
  });

  const endings = {
    'too old': { status: 410, words: /too old/, end: (world, made) => world.installation.sql(`UPDATE setup_links SET expires_at = 1000 WHERE id = '${made.link.id}'`) },
    'taken back': { status: 410, words: /taken back/, end: (world, made) => world.api('DELETE', `/organizations/contoso/setup-links/${made.link.id}`) },
    'used up': {
      status: 200,
      words: /Everything is set up/,
      scopes: ['domain'],
      async end(world, made, visitor) {
        const page = await visitor.open(world.at('/setup/domain'));
        const form = page.forms.find((each) => each.method === 'POST' && !each.has('claim') && !each.has('check') && !each.has('language'));
        await visitor.submit(page, form);
      },
    },
    'given a new address': { status: 403, words: /opens nothing/, end: (world, made) => world.api('POST', `/organizations/contoso/setup-links/${made.link.id}/regenerate`, {}) },
  };
  for (const [how, { status, words, scopes, end }] of Object.entries(endings)) {
    scenario(`r181 a link that is ${how} opens nothing, neither anew nor where a page of it is open`, async ({ world, browser }) => {
      const made = await world.link({ scopes: scopes ?? ['domain', 'sso', 'scim'], connection: scopes ? undefined : world.draft });
      const visitor = browser();
      const open = await visitor.open(made.url);
      assert.equal(open.status, 200, open.words);
      const token = formTo(open, 'form_token').value('form_token');
      await end(world, made, visitor);
      const before = await state(world);
      const anew = await browser().open(made.url);
      assert.equal(anew.status, status, anew.words);
      assert.match(anew.words, words);
      opensNothing(anew);
      for (const path of ['/setup', '/setup/domain', '/setup/connections/new', '/setup/colleague', ...steps(world.draft)]) {
        const page = await visitor.open(world.at(path));
        assert.equal(page.status, status, `${path}: ${page.words}`);
        assert.match(page.words, words);
        opensNothing(page);
        const body = new URLSearchParams({ form_token: token, guide: 'okta.saml', claim: 'stolen.example', mode: 'manual', role: 'Owner', label: 'x' });
        const sent = await visitor.fetch(world.at(path === '/setup' ? '/setup/look' : path), { method: 'POST', body });
        assert.equal(sent.status, status, `POST ${path}: ${sent.words}`);
      }
      await everythingIsSame(world, before);
      assert.equal((await world.api('GET', '/organizations/contoso/domains')).items.some(({ name }) => name === 'stolen.example'), false);
    });
  }
});

/** No form, no word of the organization, no way on. */
function opensNothing(page) {
  assert.deepEqual(page.forms.map((form) => form.action.pathname), [], page.words);
  assert.doesNotMatch(page.text, /contoso/i);
  assert.deepEqual(page.links.filter(({ href }) => !/^(#main|\/setup)$/.test(href)), []);
}
