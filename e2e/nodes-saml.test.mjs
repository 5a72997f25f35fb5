// One answer of a real SAML identity provider, brought to two nodes at the same moment: it opens one session.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser } from './lib/browser.mjs';
import { ENGINES, stopCluster } from './lib/databases.mjs';
import { samlWorld } from './worlds/saml.mjs';

const TRIALS = Number(process.env.NODES_TRIALS ?? 50) / 2;

describe('two nodes and SAML on postgres', { skip: !ENGINES.includes('postgres') }, () => {
  let world;
  let origins;
  before(async () => {
    world = await samlWorld('postgres');
    const second = await world.installation.serve({ own: true });
    origins = [world.installation.origin, second.origin];
  });
  after(async () => {
    await world?.stop();
    await stopCluster();
  });

  // The open request is what can be used once.
  test(`r30 an answer to our request opens one session, ${TRIALS} times`, () => trials((visitor) => visitor.open(world.app.loginUrl({ connection: 'signed-both' })), 'signed-both'));

  // There is no request: the assertion's id is what can be used once.
  test(`r30 an answer to no request opens one session, ${TRIALS} times`, () => trials((visitor) => visitor.open(world.idp.startUrl(world.entityId('from-the-portal'))), 'from-the-portal'));

  async function trials(begin, id) {
    for (let trial = 0; trial < TRIALS; trial++) {
      const visitor = new Browser();
      const { action, fields, from } = await answerInHand(visitor, await begin(visitor), `ann-${id}`);
      const pages = await Promise.all(origins.map((origin) => {
        const url = new URL(action.pathname, origin);
        return visitor.fetch(url, { method: 'POST', body: new URLSearchParams(fields), from });
      }));
      const opened = pages.filter((page) => page.headers.getSetCookie().some((cookie) => /^provost_session=[^;]/.test(cookie)));
      assert.equal(opened.length, 1, `${pages.map((page) => `${page.status} ${page.words}`).join('\n')}\n${world.installation.tail()}`);
      assert.deepEqual(pages.map(({ status }) => Math.floor(status / 100)).sort(), [3, 4]);
    }
  }
});

/** Signs in at the identity provider and stops with its answer in hand, before it is posted to us. */
async function answerInHand(visitor, login, user) {
  const form = login.forms.find((each) => each.fieldOfType('password'));
  const { url, body } = form.toRequest({ username: user, password: 'pw' });
  const page = await visitor.fetch(url, { method: 'POST', body, from: login.url });
  const answer = page.forms.find((each) => each.has('SAMLResponse'));
  const fields = { SAMLResponse: answer.value('SAMLResponse') };
  if (answer.has('RelayState')) fields.RelayState = answer.value('RelayState');
  return { from: page.url, action: answer.action, fields };
}
