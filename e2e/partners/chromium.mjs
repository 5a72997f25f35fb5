// Debian's Chromium, driven by playwright-core, with axe-core as the judge of accessibility.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { ENGINES } from '../lib/databases.mjs';
import { workDirectory } from '../lib/work.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const BINARIES = ['/usr/bin/chromium', '/usr/bin/chromium-headless-shell', '/usr/bin/google-chrome'];

/** The appearances in which every page is looked at. */
const APPEARANCES = ['light', 'dark'].flatMap((colorScheme) => [1280, 360].map((width) => ({ colorScheme, width })));

/**
 * The appearances that one engine's pages are looked at in: each engine has both colors and both widths, the two together have
 * every pair. What a page looks like does not depend on where its data are, so no pair is looked at twice.
 */
export function appearancesOn(engine) {
  if (ENGINES.length === 1) return APPEARANCES;
  const upright = engine === ENGINES[0];
  return APPEARANCES.filter(({ colorScheme, width }) => ((colorScheme === 'light') === (width === 1280)) === upright);
}

export async function startChromium() {
  const executablePath = process.env.CHROMIUM ?? BINARIES.find(existsSync);
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
  return {
    /** A window of its own: no cookies, one appearance. Collects what the page complains about. */
    async open({ colorScheme = 'light', width = 1280, scripts = true, locale = 'en-US' } = {}) {
      const context = await browser.newContext({ colorScheme, locale, javaScriptEnabled: scripts, viewport: { width, height: 800 }, reducedMotion: 'reduce' });
      const page = await context.newPage();
      page.complaints = [];
      page.on('pageerror', (error) => page.complaints.push(`${error} ${page.url()}`));
      page.on('console', (message) => message.type() === 'error' && page.complaints.push(`${message.text()} ${message.location().url}`));
      return page;
    },
    stop: () => browser.close(),
  };
}

/** WCAG 2.2 A and AA violations as readable lines; none is the goal. Evaluated, not added as a script tag: a strict CSP stays. */
export async function accessibilityViolations(page) {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.target.join(' ')).join(', ')})`);
}

/** How far the page sticks out of the window to the side, in CSS pixels. */
export function sidewaysOverflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Presses Tab until the focus returns to the page itself; what was reached, in order, as `tag#id name`. */
export async function tabOrder(page, limit = 60) {
  const reached = [];
  for (let press = 0; press < limit; press++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      return {
        name: `${element.tagName.toLowerCase()} ${element.getAttribute('name') ?? element.textContent.trim().slice(0, 40)}`,
        visible: style.outlineStyle !== 'none' || style.boxShadow !== 'none',
      };
    });
    if (!focused) break;
    reached.push(focused);
  }
  return reached;
}

/** Keeps a picture under e2e/.work/screenshots for a person to look at. */
export async function screenshot(page, name) {
  const folder = path.join(workDirectory(), 'screenshots');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}
