// Hostile input over real HTTP: answers of a real identity provider, replayed, stolen, bent, and plain garbage.
// Every one must end in a refusal of ours, quickly, without an account, and with the server alive.
import assert from 'node:assert/strict';
import { assertRefused } from './lib/refusal.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { samlWorld, signInThrough } from './worlds/saml.mjs';

/** Signs in at the identity provider and stops with its answer in hand, before it is posted to us. */
async function answerInHand(world, browser, id, who = 'ann') {
  const login = await browser.open(world.app.loginUrl({ connection: id }));
  const form = login.forms.find((each) => each.fieldOfType('password'));
  const { url, body } = form.toRequest({ username: `${who}-${id}`, password: 'pw' });
  const page = await browser.fetch(url, { method: 'POST', body, from: login.url });
  const answer = page.forms.find((each) => each.has('SAMLResponse'));
  return { from: page.url, action: answer.action, fields: { SAMLResponse: answer.value('SAMLResponse'), RelayState: answer.value('RelayState') } };
}

async function post(browser, answer, changes = {}) {
  const body = new URLSearchParams({ ...answer.fields, ...changes });
  return browser.follow(await browser.fetch(answer.action, { method: 'POST', body, from: answer.from }));
}

/** A server that has read enough answers 413 and closes; whether the answer outruns the broken pipe is up to the network. */
function closedWhileSending(error, value) {
  const isClosed = ['EPIPE', 'ECONNRESET'].includes(error.cause?.code);
  if (isClosed && value.length > 1024 * 1024) return { status: 413 };
  throw error;
}

const bent = (answer, change) => ({ SAMLResponse: Buffer.from(change(Buffer.from(answer.fields.SAMLResponse, 'base64').toString())).toString('base64') });

onEachEngine('hostile input', samlWorld, (scenario) => {
  scenario('an answer opens one session, once', async ({ world, browser }) => {
    const visitor = browser();
    const answer = await answerInHand(world, visitor, 'signed-both');
    const first = await post(visitor, answer);
    assert.equal(first.headers.get('content-type'), 'application/json', first.words);
    assertRefused(await post(visitor, answer), world);
  });

  scenario('50 posts of one answer at once open one session', async ({ world, browser }) => {
    const visitor = browser();
    const answer = await answerInHand(world, visitor, 'signed-assertion');
    const body = () => new URLSearchParams(answer.fields);
    const pages = await Promise.all(Array.from({ length: 50 }, () => visitor.fetch(answer.action, { method: 'POST', body: body(), from: answer.from })));
    const opened = pages.filter((page) => page.status === 303);
    assert.equal(opened.length, 1, JSON.stringify(pages.map((page) => page.status)));
    assert.ok(pages.every((page) => page.status < 500));
  });

  scenario('an answer to one browser is worth nothing in another', async ({ world, browser }) => {
    const answer = await answerInHand(world, browser(), 'signed-both');
    assertRefused(await post(browser(), answer), world);
  });

  scenario('an answer for one connection is worth nothing at another', async ({ world, browser }) => {
    const visitor = browser();
    const answer = await answerInHand(world, visitor, 'signed-both');
    const elsewhere = new URL(answer.action.href.replace('/signed-both/', '/signed-response/'));
    assert.notEqual(elsewhere.href, answer.action.href);
    assertRefused(await post(visitor, { ...answer, action: elsewhere }), world);
  });

  const BENDS = {
    'another name': (xml) => xml.replaceAll('bob-signed-both', 'ann-signed-both'),
    'another e-mail': (xml) => xml.replaceAll('bob@signed-both.example', 'ann@signed-both.example'),
    'a comment in the e-mail': (xml) => xml.replaceAll('bob@signed-both.example', 'bob@signed-both.example<!---->.evil.example'),
    'no signature': (xml) => xml.replace(/<ds:Signature[\s\S]*?<\/ds:Signature>/g, ''),
    'an empty signature value': (xml) => xml.replace(/<ds:SignatureValue>[^<]*</g, '<ds:SignatureValue><'),
    'a document type': (xml) => `<!DOCTYPE r [<!ENTITY e "x">]>${xml.replace(/<\?xml[^>]*\?>/, '')}`,
    'half of it': (xml) => xml.slice(0, xml.length / 2),
    'two roots': (xml) => `${xml}${xml.replace(/<\?xml[^>]*\?>/, '')}`,
  };
  for (const [what, change] of Object.entries(BENDS)) {
    scenario(`r30 a bent answer opens nothing: ${what}`, async ({ world, browser }) => {
      const visitor = browser();
      const answer = await answerInHand(world, visitor, 'signed-both', 'bob');
      const changed = bent(answer, change);
      assert.notEqual(changed.SAMLResponse, answer.fields.SAMLResponse, 'the bend changed something');
      assertRefused(await post(visitor, answer, changed), world);
      assert.doesNotMatch((await visitor.open(`${world.installation.origin}/account`)).words, /@signed-both/);
    });
  }

  const GARBAGE = {
    'nothing': '',
    'not base64': '%%%%',
    'not UTF-8': Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]).toString('base64'),
    'not XML': Buffer.from('garbage').toString('base64'),
    '30 000 levels deep': Buffer.from('<a>'.repeat(30_000)).toString('base64'),
    '10 MB': 'A'.repeat(10 * 1024 * 1024),
  };
  for (const [what, value] of Object.entries(GARBAGE)) {
    scenario(`garbage at the assertion consumer gets a client error: ${what}`, async ({ world, browser }) => {
      const visitor = browser();
      const answer = await answerInHand(world, visitor, 'signed-both');
      const page = await visitor.fetch(answer.action, { method: 'POST', body: new URLSearchParams({ SAMLResponse: value }), from: answer.from })
        .catch((error) => closedWhileSending(error, value));
      assert.ok(page.status >= 400 && page.status < 500, `${page.status} ${page.words}`);
      assert.equal((await fetch(`${world.installation.origin}/readyz`)).status, 200);
    });
  }

  scenario('after all of this an honest person still signs in', async ({ world, browser }) => {
    const page = await signInThrough(world, browser(), 'signed-both');
    assert.equal(page.json?.app, 'portal-app', page.words);
  });
});
