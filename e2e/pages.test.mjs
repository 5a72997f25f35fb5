// The pages that people see, in a real browser: one appearance each of light, dark, wide and narrow; axe-core judges.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { onEachEngine } from './lib/scenario.mjs';
import { accessibilityViolations, appearancesOn, screenshot, sidewaysOverflow, startChromium, tabOrder } from './partners/chromium.mjs';
import { samlWorld } from './worlds/saml.mjs';

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

onEachEngine('pages in Chromium', samlWorld, (scenario, engine) => {
  for (const appearance of appearancesOn(engine)) {
    const look = `${appearance.colorScheme} at ${appearance.width} px`;
    const name = `${appearance.colorScheme}-${appearance.width}`;

    scenario(`the sign-in page is accessible: ${look}`, async ({ world }) => {
      const page = await chromium.open(appearance);
      await page.goto(`${world.installation.origin}/login`);
      await judge(page, `login-${name}`);
      await page.context().close();
    });

    scenario(`r120 the refusal page is accessible and says why: ${look}`, async ({ world }) => {
      const page = await chromium.open(appearance);
      await signIn(page, world, 'nothing-signed', 'ann');
      assert.match(await page.innerText('main'), /reference/i);
      await judge(page, `refusal-${name}`, { expected: /403|400|401/ });
      await page.context().close();
    });

    scenario(`r128 where two accounts fit, the person is asked which is hers, or neither: ${look}`, async ({ world }) => {
      const page = await chromium.open(appearance);
      await signIn(page, world, 'which-account', 'ann');
      await page.waitForURL(`${world.installation.origin}/login/account`);
      await judge(page, `which-account-${name}`);
      await page.getByRole('button', { name: 'None of these is mine' }).click();
      assert.match(await page.innerText('main'), /more than one account/i);
      await page.context().close();
    });

    scenario(`r05 a person types her e-mail, signs in and sees her account: ${look}`, async ({ world }) => {
      const page = await chromium.open(appearance);
      await page.goto(`${world.installation.origin}/login`);
      await page.locator('input[type=email]').fill('ann@signed-both.example');
      await page.keyboard.press('Enter');
      await atIdentityProvider(page, world, 'ann-signed-both');
      await page.waitForURL(`${world.installation.origin}/account`);
      assert.match(await page.innerText('main'), /ann@signed-both\.example/);
      await judge(page, `account-${name}`);
      await page.context().close();
    });
  }

  scenario('r128 the account that she says is hers is opened, and she is asked once', async ({ world }) => {
    for (const isFirst of [true, false]) {
      const page = await chromium.open();
      await page.goto(world.app.loginUrl({ connection: 'which-account' }));
      await atIdentityProvider(page, world, 'ann-which-account');
      if (isFirst) await page.getByRole('button', { name: /^Ann Ek a\.ek@/ }).click();
      await page.waitForURL(`${world.app.origin}/me`);
      await page.context().close();
    }
  });

  scenario('a browser that keeps the rules about cookies across sites signs in with POST both ways', async ({ world }) => {
    const page = await chromium.open();
    await page.goto(world.app.loginUrl({ connection: 'signed-post-request' }));
    await atIdentityProvider(page, world, 'ann-signed-post-request');
    await page.waitForURL(`${world.app.origin}/me`);
    assert.match(await page.innerText('body'), /ann@signed-post-request\.example/);
    await page.context().close();
  });

  scenario('the keyboard reaches everything on the sign-in page, visibly', async ({ world }) => {
    const page = await chromium.open();
    await page.goto(`${world.installation.origin}/login`);
    // The e-mail field has the focus at first: start from the top of the page instead.
    await page.evaluate(() => {
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute('tabindex');
    });
    const reached = await tabOrder(page);
    const controls = await page.locator('a[href], button, input:not([type=hidden])').count();
    assert.equal(reached.length, controls, JSON.stringify(reached));
    assert.deepEqual(reached.filter(({ visible }) => !visible), []);
    await page.context().close();
  });
});

async function signIn(page, world, connection, who) {
  await page.goto(world.app.loginUrl({ connection }));
  await atIdentityProvider(page, world, `${who}-${connection}`);
  await page.waitForURL((url) => url.origin === world.installation.origin);
}

async function atIdentityProvider(page, world, user) {
  await page.waitForURL((url) => url.origin === world.idp.baseUrl);
  await page.locator('input[name=username]').fill(user);
  await page.locator('input[name=password]').fill('pw');
  await page.keyboard.press('Enter');
}

/** What every page of ours must be; the picture is for a person to look at. */
async function judge(page, name, { expected } = {}) {
  await screenshot(page, name);
  assert.deepEqual(await accessibilityViolations(page), []);
  assert.ok(await sidewaysOverflow(page) <= 0, 'the page is wider than its window');
  assert.ok(await page.title(), 'a title');
  assert.ok(await page.evaluate(() => document.documentElement.lang), 'a language');
  assert.equal(await page.locator('h1').count(), 1, 'one main heading');
  // Only what happens at our address: simplesamlphp has no favicon.
  const ours = page.complaints.filter((complaint) => complaint.includes(new URL(page.url()).origin));
  assert.deepEqual(ours.filter((complaint) => !expected?.test(complaint)), []);
}
