// Every page of the console in a real browser, in one color scheme, wide and narrow, judged by axe-core. A file for each color
// scheme, so that none takes longer than a test file may.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { onEachEngine } from '../lib/scenario.mjs';
import { appearancesOn, startChromium } from '../partners/chromium.mjs';
import { consoleWorld, HEAVIEST, judge, OWNER, signIn, signInOperator, visit } from './console.mjs';

export function everyPage(colorScheme) {
  let chromium;
  before(async () => {
    chromium = await startChromium();
  });
  after(() => chromium?.stop());

  onEachEngine(`every page of the console in Chromium, ${colorScheme}`, consoleWorld, (scenario, engine) => {
    for (const appearance of appearancesOn(engine).filter((one) => one.colorScheme === colorScheme)) {
      const look = `${appearance.colorScheme} at ${appearance.width} px`;
      const name = `${appearance.colorScheme}-${appearance.width}`;

      scenario(`every page of an organization is accessible and light: ${look}`, async ({ world }) => {
        const page = await chromium.open(appearance);
        await signIn(page, world, OWNER);
        for (const [title, path] of Object.entries(await pagesOf(page, world))) {
          const weight = await visit(page, world.organization + path);
          await judge(page, `console-${title}-${name}`);
          assert.ok(weight < HEAVIEST, `${title} weighs ${weight} bytes`);
        }
        await page.context().close();
      });

      scenario(`every page of the set-up portal is accessible and light: ${look}`, async ({ world }) => {
        const page = await chromium.open(appearance);
        await signIn(page, world, OWNER);
        const { id, link } = await draftOf(page, world);
        await page.context().clearCookies();
        await page.goto(link);
        const steps = Object.fromEntries(STEPS.map((step) => [step, `/setup/connections/${id}/setup/${step}`]));
        for (const [title, path] of Object.entries({ choose: '/setup/connections/new', domains: '/setup/domain', ...steps, colleague: '/setup/colleague?step=values' })) {
          const weight = await visit(page, world.installation.origin + path);
          await judge(page, `portal-${title}-${name}`);
          assert.ok(weight < HEAVIEST, `${title} weighs ${weight} bytes`);
        }
        await page.context().close();
      });

      scenario(`every page of an operator is accessible and light: ${look}`, async ({ world }) => {
        const page = await chromium.open(appearance);
        await signInOperator(page, world);
        for (const [title, path] of Object.entries({ organizations: '/operator', 'all-connections': '/operator/connections', jobs: '/operator/jobs', health: '/operator/health', 'instance-activity': '/operator/activity', components: '/components' })) {
          const weight = await visit(page, `${world.installation.origin}/console${path}`);
          await judge(page, `operator-${title}-${name}`);
          assert.ok(weight < HEAVIEST, `${title} weighs ${weight} bytes`);
        }
        await page.context().close();
      });
    }
  });
}

/** The addresses of an organization's pages, with those of one person, one attempt and one provider. */
async function pagesOf(page, world) {
  await page.goto(`${world.organization}/users?q=ann`);
  const person = await page.locator('tbody a.name').first().getAttribute('href');
  await page.goto(`${world.organization}/activity?show=attempts&connection=northwind-id`);
  const trace = await page.locator('.timeline a', { hasText: 'Why?' }).first().getAttribute('href');
  await page.goto(`${world.organization}/groups`);
  const group = await page.locator('tbody a.name', { hasText: 'Designers' }).getAttribute('href');
  const within = (href) => new URL(href, `${world.organization}/users`).pathname.replace('/console/northwind', '');
  const { id } = await draftOf(page, world);
  return {
    ...Object.fromEntries(STEPS.map((step) => [`setup-${step}`, `/connections/${id}/setup/${step}`])),
    'setup-choose': '/connections/new',
    'setup-links': '/setup-links',
    claims: '/connections/northwind-id/claims',
    provisioning: '/connections/northwind-id/provisioning',
    more: '/connections/northwind-id/more',
    'scim-quiet': '/connections/northwind-id/scim',
    add: '/users/add',
    import: '/users/import',
    invitations: '/invitations',
    'invitations-sent': '/invitations?state=sent',
    moves: '/conversions',
    'move-new': '/conversions/new',
    domains: '/domains',
    domain: '/domains/northwind.example',
    home: '',
    users: '/users',
    'users-none': '/users?q=zzz',
    person: within(person),
    'person-access': `${within(person)}/access`,
    activity: '/activity',
    'activity-days': '/activity?show=events&from=2026-01-01&until=2026-12-31',
    trace: within(trace),
    'users-filtered': '/users?source=manual&workspace=main&unseen=90',
    drift: '/users/drift',
    groups: '/groups',
    group: within(group),
    'activity-reason': '/activity?show=attempts&why=no_organization',
    connections: '/connections',
    connection: '/connections/northwind-id',
    values: '/connections/northwind-id/values',
    'values-edit': '/connections/northwind-id/values/edit',
    'connection-activity': '/connections/northwind-id/activity',
    policies: '/connections/northwind-id/policies',
    scim: '/connections/northwind-hr/scim',
    access: '/access',
    'sign-in': '/sign-in',
    licenses: '/licenses',
    developers: '/developers',
    configuration: '/developers/configuration',
  };
}

const STEPS = ['domain', 'values', 'test', 'mode', 'scim', 'policy', 'review'];

/** A connection that is being set up, and a link for it: made once, by whoever is signed in. */
async function draftOf(page, world) {
  if (world.draft) return world.draft;
  await page.goto(`${world.organization}/connections/new`);
  await page.locator('button[value="oidc.oidc"]').click();
  await page.waitForURL(/setup\/domain/);
  const [, id] = page.url().match(/connections\/([^/]+)\/setup/);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/setup\/values/);
  await page.locator('#issuer').fill(world.provider.issuer);
  await page.locator('#client_id').fill('not-there-yet');
  await page.locator('#client_secret').fill('a-secret-0123456789abcdef');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.waitForURL(/setup\/test/);
  await page.goto(`${world.organization}/setup-links`);
  await page.locator('#label').fill('Ivo');
  await page.locator('#connection').selectOption(id);
  await page.getByRole('button', { name: 'Make link' }).click();
  const link = await page.locator('section[aria-labelledby=made] code').innerText();
  world.draft = { id, link };
  return world.draft;
}
