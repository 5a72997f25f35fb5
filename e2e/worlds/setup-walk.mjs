// What walks through the set-up of a connection share: who is signed in, links, and what every page must be.
import assert from 'node:assert/strict';
import { accessibilityViolations, screenshot, sidewaysOverflow } from '../partners/chromium.mjs';
import { OWNER, PASSWORD } from './setup.mjs';

export async function makeLink(page, world) {
  await page.goto(`${world.console}/setup-links`);
  await page.locator('#label').fill('Ivo');
  await page.getByRole('button', { name: 'Make link' }).click();
  return page.locator('section[aria-labelledby=made] code').innerText();
}

/** Signs in once: guessing passwords is slowed down, and so would be a suite that signs in for each test. */
export async function signIn(page, world) {
  if (!world.cookies) {
    await page.goto(`${world.installation.origin}/login/password`);
    await page.locator('#email').fill(OWNER);
    await page.locator('#password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/account/);
    // Not the browser's own secret: without https it is sent along from the provider's site only while it is new.
    world.cookies = (await page.context().cookies()).filter((each) => !each.name.includes('browser'));
    await page.context().clearCookies();
  }
  await page.context().addCookies(world.cookies);
}

export async function until(holds) {
  for (let round = 0; round < 60; round++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail('it did not come to be');
}

export async function judge(page, name, { expected } = {}) {
  await screenshot(page, name);
  assert.deepEqual(await accessibilityViolations(page), [], name);
  assert.ok(await sidewaysOverflow(page) <= 0, `${name} is wider than its window`);
  assert.equal(await page.locator('h1').count(), 1, 'one main heading');
  assert.deepEqual(page.complaints.filter((complaint) => !expected?.test(complaint)), [], name);
}
