// The console in a real browser: what people do there with scripts and without, and who is let in. Its pages are judged one by
// one in console-light and console-dark.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before } from 'node:test';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { startChromium } from './partners/chromium.mjs';
import { consoleWorld, judge, MEMBER, OWNER, SECRET, signIn, signInOperator, TOKEN, visit } from './worlds/console.mjs';

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

onEachEngine('console in Chromium', consoleWorld, (scenario) => {
  scenario('every page speaks German to who wants it, and looks as chosen', async ({ world }) => {
    const page = await chromium.open({ locale: 'de-DE' });
    await signIn(page, world, OWNER);
    await visit(page, `${world.organization}/users`);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
    assert.match(await page.innerText('h1'), /Benutzer/);
    await judge(page, 'console-users-german');
    await page.locator('.bar details summary').click();
    await page.locator('#look-language').selectOption('en');
    await page.locator('#look-theme').selectOption('dark');
    await page.locator('.bar details button').click();
    await page.waitForURL(/\/users/);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.context().close();
  });

  for (const scripts of [true, false]) {
    const how = scripts ? 'with scripts' : 'without scripts';

    scenario(`r107 people are found, filtered and paged by the address: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/users`);
      const first = await names(page);
      assert.equal(first.length, 50);
      await page.getByRole('link', { name: 'Next page' }).click();
      await page.waitForURL(/before=/);
      const second = await names(page);
      assert.ok(second.length > 5 && second.every((each) => !first.includes(each)), second.join());
      await page.goto(`${world.organization}/users?via=-sso`);
      assert.ok((await names(page)).includes('Ann Ek'));
      assert.equal(await page.locator('tbody .badge.sso').count(), (await names(page)).length);
      await page.locator('input[type=search]').fill('STRA');
      await page.keyboard.press('Enter');
      await page.waitForURL(/q=STRA/);
      assert.deepEqual((await names(page)).sort(), ['Dana Strand', 'Emil Strand', 'Fay Strand']);
      await page.context().close();
    });

    scenario(`c07 access is pinned and returned, r101 deleting asks first: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/users?q=${scripts ? 'person-01' : 'person-02'}`);
      await page.locator('tbody a.name').click();
      // Everybody may have been pinned by an earlier scenario.
      await page.getByRole('button', { name: /^(Pin access|Return to rules)$/ }).first().waitFor();
      const back = page.getByRole('button', { name: 'Return to rules' });
      if ((await back.count()) > 0) {
        await back.click();
        await page.waitForURL(/done=unpin/);
      }
      await page.getByRole('button', { name: 'Pin access' }).click();
      await page.waitForURL(/done=pin/);
      assert.match(await page.innerText('main'), /The access is pinned/);
      await page.getByRole('button', { name: 'Return to rules' }).click();
      await page.waitForURL(/done=unpin/);
      const summary = page.locator('summary', { hasText: 'Delete account' });
      await summary.click();
      await page.locator('details[open] button', { hasText: 'Delete account' }).click();
      await page.waitForURL(/\/users\?done=delete/);
      await page.context().close();
    });

    scenario(`r50 access is changed by hand, and what is not touched stays: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/users?q=${scripts ? 'person-03' : 'person-04'}`);
      await page.locator('tbody a.name').click();
      await page.getByRole('link', { name: 'Change access' }).click();
      await page.waitForURL(/\/access$/);
      if (scripts) await judge(page, 'console-access-by-hand');
      const box = page.locator('input[name=workspace]:not(:checked)').first();
      const workspace = (await box.locator('xpath=ancestor::label').innerText()).trim();
      await box.check();
      await page.getByRole('button', { name: 'Save access' }).click();
      await page.waitForURL(/done=access/);
      assert.match(await page.innerText('main'), /The access is changed/);
      assert.ok((await page.innerText('section[aria-labelledby=why]')).includes(workspace));
      await page.context().close();
    });

    scenario(`several at once: a list of what would happen, then what did: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/users?q=${scripts ? 'person-1' : 'person-2'}`);
      const boxes = page.locator('tbody input[type=checkbox]');
      await boxes.nth(0).check();
      await boxes.nth(1).check();
      await page.getByRole('button', { name: 'Suspend', exact: true }).click();
      assert.match(await page.innerText('main'), /Chosen: 2. Nothing has happened yet/);
      await page.locator('footer button', { hasText: 'Suspend' }).click();
      assert.match(await page.innerText('main'), /2 done, 0 refused/);
      if (scripts) await judge(page, 'console-bulk-done');
      await page.context().close();
    });

    scenario(`more than a page at once: asked first, carried out in the background, the refused tried again: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/users?via=-password`);
      await page.locator('tbody input[type=checkbox]').first().check();
      await page.locator('input[name=everybody]').check();
      await page.getByRole('button', { name: scripts ? 'Pin access' : 'Return to rules' }).click();
      assert.match(await page.innerText('main'), /and 4\d more/);
      if (scripts) await judge(page, 'console-bulk-everybody');
      await page.locator('footer button').click();
      await page.waitForURL(/\/users\/runs\//);
      const run = page.url();
      await eventually('the run is through', async () => {
        await page.goto(run);
        return (await page.locator('.badge.good', { hasText: 'Done' }).count()) > 0;
      });
      assert.match(await page.innerText('.tiles'), /6\d/);
      if (scripts) await judge(page, 'console-bulk-run');
      await page.context().close();
    });

    scenario(`filters are kept under a name, for oneself: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/users?kind=reader&q=person`);
      await page.locator('summary', { hasText: 'Save this view' }).click();
      await page.locator('#view-name').fill(`Readers ${how}`);
      await page.locator('.views').getByRole('button', { name: 'Save', exact: true }).click();
      await page.waitForURL(/kind=reader/);
      await page.goto(`${world.organization}/users`);
      await page.getByRole('link', { name: `Readers ${how}` }).click();
      await page.waitForURL(/kind=reader/);
      assert.match(page.url(), /q=person/);
      if (scripts) await judge(page, 'console-view');
      await page.getByRole('button', { name: `Delete the view Readers ${how}` }).click();
      await page.waitForURL(/\/users$/);
      assert.equal(await page.getByRole('link', { name: `Readers ${how}` }).count(), 0);
      await page.context().close();
    });

    scenario(`f2 why did she not get this role: the rule is tried, seen for everybody, and saved: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/activity?show=attempts&refused=1`);
      await page.goto(`${world.organization}/activity?show=attempts&connection=northwind-id`);
      const cleo = page.locator('.timeline li', { hasText: /designer/ }).first();
      await cleo.getByRole('link', { name: 'Why?' }).click();
      await page.waitForURL(/\/traces\//);
      assert.match(await page.innerText('main'), /Designer/);
      const rule = page.locator('#role_expression');
      await rule.fill((await rule.inputValue()).replace("'designer'", "'Designer'").replace("'Member'", "'Member' "));
      if (scripts) {
        await page.locator('#tried', { hasText: 'For everybody' }).waitFor();
      } else {
        await page.getByRole('button', { name: 'Try without saving' }).click();
      }
      assert.match(await page.innerText('#tried'), /With your change/);
      if (scripts) await judge(page, 'console-rule-tried');
      await page.locator('#role_expression').fill(`contains(groups, 'admins') && 'Admin' || contains(groups, 'staff') && 'Member' || ${scripts ? "'Designer'" : "'designer'"}`);
      await page.getByRole('button', { name: 'Save policy' }).click();
      await page.waitForURL(/done=policy/);
      await page.context().close();
    });

    scenario(`a rule that cannot be is named with its place, and nothing is saved: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/connections/northwind-id/policies`);
      await page.locator('#role_expression').fill("contains(groups, 'admins' && 'Admin'");
      await page.getByRole('button', { name: 'Save policy' }).click();
      await page.locator('#tried .notice.danger').waitFor();
      assert.match(await page.innerText('#tried'), /role\.expression/);
      assert.match(await page.locator('#role_expression').inputValue(), /'admins' &&/);
      await page.context().close();
    });

    scenario(`f2 rules are tried on a person and on pasted claims, and a pasted SAML message is named as such: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/connections/northwind-id/policies`);
      const shows = async (pattern) => {
        if (!scripts) await page.getByRole('button', { name: 'Try without saving' }).click();
        await page.locator('#tried', { hasText: pattern }).waitFor();
      };
      await page.locator('#person').fill('ann@northwind.example');
      await shows(/groups has "admins"|Admin/);
      await page.locator('#person').fill('nobody@northwind.example');
      await shows(/Nobody here has this address/);
      if (scripts) await page.locator('summary', { hasText: 'Paste claims or SAML' }).click();
      else await page.locator('details:has(#claims) summary').click();
      await page.locator('#claims').fill('{"sub": "zoe", "email": "zoe@northwind.example", "email_verified": true, "groups": ["northwind", "staff"]}');
      await shows(/Admitted/);
      if (scripts) await judge(page, 'console-tester-claims');
      if (!scripts && !(await page.locator('#claims').isVisible())) await page.locator('details:has(#claims) summary').click();
      await page.locator('#claims').fill('<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="2026-01-01T00:00:00Z"/>');
      await shows(/speaks OpenID Connect/);
      await page.context().close();
    });

    scenario(`what happened is narrowed to days, with outgoing events, and kept as a file: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/developers/webhooks`);
      await page.locator('summary', { hasText: 'New webhook' }).click();
      await page.locator('#url').fill(`https://hooks-${scripts ? 's' : 'n'}.invalid/calls`);
      await page.getByRole('button', { name: 'Add webhook' }).click();
      await page.goto(`${world.organization}/connections/northwind-hr/scim`);
      await page.locator('#label').fill(`told ${how}`);
      await page.getByRole('button', { name: 'Make token' }).click();
      await eventually('the event is queued', async () => {
        await page.goto(`${world.organization}/activity?show=events`);
        return (await page.locator('.timeline li', { hasText: `hooks-${scripts ? 's' : 'n'}.invalid` }).count()) > 0;
      });
      if (scripts) await judge(page, 'console-activity-events');
      await page.locator('.timeline li').first().getByRole('link', { name: /^Open/ }).click();
      await page.waitForURL(/\/deliveries\//);
      await page.goto(`${world.organization}/activity`);
      const today = new Date().toISOString().slice(0, 10);
      await page.locator('#f-from').fill(today);
      await page.locator('#f-until').fill('2999-12-31');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.waitForURL(new RegExp(`from=${today}`));
      assert.ok((await page.locator('.timeline li').count()) > 10);
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download all of it as a table' }).click()]);
      const text = await readFile(await download.path(), 'utf8');
      assert.ok(text.split('\n').length > 60, `more than a page: ${text}`);
      await page.goto(`${world.organization}/activity?until=2020-01-01`);
      assert.match(await page.innerText('main'), /Nothing to show/);
      await page.context().close();
    });

    scenario(`r72 a SCIM token is made, shown once and revoked: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      await page.goto(`${world.organization}/connections/northwind-hr/scim`);
      await page.locator('#label').fill(`by hand ${how}`);
      await page.getByRole('button', { name: 'Make token' }).click();
      const secret = await page.locator('section[aria-labelledby=secret] code').innerText();
      assert.match(secret, /^pvt_/);
      if (scripts) await judge(page, 'console-token-made');
      await page.goto(`${world.organization}/connections/northwind-hr/scim`);
      assert.ok(!(await page.content()).includes(secret), 'the token is shown once');
      await page.locator('tr', { hasText: `by hand ${how}` }).getByRole('button').click();
      await page.waitForURL(/done=token/);
      await page.context().close();
    });

    scenario(`the values of a live provider are changed and tried at once: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      const values = `${world.organization}/connections/northwind-id/values`;
      const save = async (secret) => {
        await page.goto(values);
        await page.getByRole('link', { name: 'Change', exact: true }).click();
        assert.equal(await page.locator('#client_secret').inputValue(), '', 'a secret is never shown');
        await page.locator('#client_secret').fill(secret);
        await page.getByRole('button', { name: 'Save' }).click();
        await page.waitForURL(/done=values/);
        assert.ok(!(await page.content()).includes(secret), 'a secret is never shown');
        assert.match(await page.innerText('section[aria-labelledby=last]'), /Client secret/);
      };
      const tried = async () => {
        await page.getByRole('button', { name: 'Test sign-in' }).click();
        // At the provider, unless its session still lives.
        await page.locator('input[name=login], [role=status]').first().waitFor();
        if (await page.locator('input[name=login]').count()) {
          await page.locator('input[name=login]').fill('ann');
          await page.locator('input[name=password]').fill('pw');
          await page.locator('input[name=password]').press('Enter');
        }
        await page.waitForURL(/tested=1/);
        return page.innerText('[role=status]');
      };
      await save('not-the-secret-0123456789abcdef');
      if (scripts) await judge(page, 'console-values-changed');
      assert.match(await tried(), /did not succeed/);
      await save(SECRET);
      assert.match(await tried(), /succeeded with the present values/);
      if (scripts) await judge(page, 'console-values-tested', { expected: /favicon/ });
      await page.context().close();
    });

    scenario(`c04 what a directory may do is switched, and it is refused from then on: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world, OWNER);
      const tab = `${world.organization}/connections/northwind-hr/scim`;
      const deleting = () => fetch(`${world.installation.origin}/scim/northwind-hr/v2/Users/nobody`, { method: 'DELETE', headers: { authorization: `Bearer ${TOKEN}` } });
      const allow = async (may) => {
        await page.goto(tab);
        await page.locator('input[name=operation][value=delete]').setChecked(may);
        await page.locator('button[name=rights]').click();
        await page.waitForURL(/done=saved/);
        assert.equal(await page.locator('input[name=operation][value=delete]').isChecked(), may);
      };
      assert.equal((await deleting()).status, 404);
      await allow(false);
      const refused = await deleting();
      assert.ok([403, 405, 501].includes(refused.status), `${refused.status}`);
      assert.match(await refused.text(), /urn:ietf:params:scim:api:messages:2.0:Error/);
      await allow(true);
      assert.equal((await deleting()).status, 404);
      await page.context().close();
    });
  }

  scenario('examples and claims are put into a rule and tried at once', async ({ world }) => {
    const page = await chromium.open();
    await signIn(page, world, OWNER);
    await page.goto(`${world.organization}/connections/northwind-id/policies`);
    const role = page.locator('section[aria-labelledby=rule-role]');
    await role.locator('summary', { hasText: 'Examples' }).last().click();
    const tried = page.waitForResponse((answer) => answer.url().endsWith('/policies/try'));
    await role.getByRole('button', { name: /Several roles/ }).click();
    assert.match(await page.locator('#role_expression').inputValue(), /^\[contains\(groups, 'eng'\)/);
    await tried;
    await page.locator('#tried:not(.waiting)').waitFor();
    await judge(page, 'console-examples');
    await page.locator('#role_expression').press('Control+a');
    await role.getByRole('button', { name: 'groups', exact: true }).click();
    assert.equal(await page.locator('#role_expression').inputValue(), 'groups');
    await page.context().close();
  });

  scenario('what happens while somebody looks comes by itself', async ({ world }) => {
    const looking = await chromium.open();
    await signIn(looking, world, OWNER);
    await looking.goto(`${world.organization}/activity`);
    const acting = await looking.context().newPage();
    await acting.goto(`${world.organization}/users?q=person-05`);
    await acting.locator('tbody a.name').click();
    const name = await acting.innerText('h1');
    await acting.getByRole('button', { name: /^(Pin access|Return to rules)$/ }).first().click();
    await acting.waitForURL(/done=(un)?pin/);
    const newest = looking.locator('.timeline li').first();
    await eventually('the entry is there', async () => (await newest.innerText()).includes(name));
    assert.match(await newest.locator('time').innerText(), /now|second/);
    await looking.context().close();
  });

  scenario('who manages nothing, and who is not signed in, gets no page', async ({ world }) => {
    const page = await chromium.open();
    await page.goto(`${world.organization}/users`);
    await page.waitForURL(/\/login/);
    await signIn(page, world, MEMBER);
    await page.goto(`${world.installation.origin}/console`);
    assert.match(await page.innerText('main'), /You manage no organization/);
    await judge(page, 'console-nothing-managed');
    for (const path of ['/northwind', '/northwind/users', '/fabrikam', '/operator', '/operator/jobs', '/operator/health', '/operator/configuration', '/components', '/no-such-organization']) {
      const answer = await page.goto(`${world.installation.origin}/console${path}`);
      assert.equal(answer.status(), 403, path);
    }
    await judge(page, 'console-refused', { expected: /403/ });
    await page.context().close();
  });

  scenario('an owner of one organization sees nothing of another, an operator sees both', async ({ world }) => {
    const page = await chromium.open();
    await signIn(page, world, OWNER);
    assert.equal((await page.goto(`${world.installation.origin}/console/fabrikam`)).status(), 403);
    assert.equal((await page.goto(`${world.installation.origin}/console/operator`)).status(), 403);
    await page.context().close();
    const petra = await chromium.open();
    await signInOperator(petra, world);
    assert.equal((await petra.goto(`${world.installation.origin}/console/fabrikam`)).status(), 200);
    assert.equal((await petra.goto(`${world.organization}/users`)).status(), 200);
    await petra.context().close();
  });
});

const names = (page) => page.locator('tbody a.name').allInnerTexts();
