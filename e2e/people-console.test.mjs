// Olga's day in the console: people are added and invited, moved to single sign-on and back, domains are claimed, keys made;
// Petra sets a plan. With a real mail server and a real OpenID provider on the other side.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { Browser } from './lib/browser.mjs';
import { eventually } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { appearancesOn, startChromium } from './partners/chromium.mjs';
import { HEAVIEST, judge, OPERATOR, PASSWORD, signIn as signInAs, signInOperator, visit } from './worlds/console.mjs';
import { address, ID, mailWorld } from './worlds/mail.mjs';

const OWNER = address('olga');
const signIn = (page, world) => signInAs(page, world, OWNER);

let chromium;
before(async () => {
  chromium = await startChromium();
});
after(() => chromium?.stop());

async function peopleWorld(engine) {
  const world = await mailWorld(engine);
  const [lab] = world.document.organizations;
  const member = (email, names, others = {}) => ({ email, ...names, memberships: [{ organization: ID, roles: ['member'], license: 'standard' }], ...others });
  await world.installation.apply({
    ...world.document,
    organizations: [
      {
        ...lab,
        roles: [{ id: 'owner', name: 'Owner', owner: true }, { id: 'admin', name: 'Admin', admin: true }, { id: 'member', name: 'Member', default: true }],
        licenses: [{ id: 'standard', seats: 40 }],
      },
      { id: 'bare', name: 'Bare', roles: [{ id: 'owner', name: 'Owner', owner: true }] },
    ],
    users: [
      { email: OWNER, given_name: 'Olga', family_name: 'Berg', password: PASSWORD, memberships: [{ organization: ID, roles: ['owner'] }, { organization: 'bare', roles: ['owner'] }] },
      member(address('bob'), { given_name: 'Bob', family_name: 'Lab' }, { password: PASSWORD }),
      member(address('eve'), { given_name: 'Eve', family_name: 'Lab' }, { password: PASSWORD }),
      member(address('rita'), { given_name: 'Rita', family_name: 'Reader' }, { kind: 'reader', connection: ID }),
      ...Array.from({ length: 8 }, (_, at) => member(address(`team-${at}`), { given_name: 'Team', family_name: `Person ${at}` })),
      member('guest@elsewhere.example', { given_name: 'Guest', family_name: 'Elsewhere' }),
    ],
  });
  const { stdout } = await world.installation.cli(['operator', 'add', '--email', OPERATOR]);
  world.operatorLink = stdout.match(/https?:\/\/\S+\/password\/\S+/)[0];
  world.console = `${world.installation.origin}/console/${ID}`;
  return world;
}

/** A page with progress on it loads itself anew once there is no more to come. Ask this first: what is asked after it is asked of the new page. */
async function atRest(page) {
  return (await page.locator('[data-stream]').count()) === 0;
}

onEachEngine('people in the console, in Chromium', peopleWorld, (scenario, engine) => {
  for (const scripts of [true, false]) {
    const how = scripts ? 'with scripts' : 'without scripts';
    const tag = scripts ? 's' : 'n';

    scenario(`r86 r89 r104 r105 adding: why SSO is off, who cannot be added, and who is: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      await page.goto(`${world.installation.origin}/console/bare/users/add`);
      assert.equal(await page.locator('input[name=sso]').isDisabled(), true);
      assert.match(await page.innerText('#sso-off'), /no identity provider yet/);

      await page.goto(`${world.console}/users`);
      await page.getByRole('link', { name: 'Add people' }).click();
      await page.locator('#addresses').fill(address('rita'));
      await page.locator('input[name=sso]').check();
      if (scripts) await page.locator('#checked [data-blocks]').waitFor();
      else await page.getByRole('button', { name: 'Check first' }).click();
      assert.match(await page.innerText('#checked'), /already is an SSO reader/);
      assert.equal(await page.getByRole('button', { name: 'Add', exact: true }).isDisabled(), true);
      if (scripts) await judge(page, 'people-add-blocked');

      const [one, two] = [address(`new-${tag}-1`), address(`new-${tag}-2`)];
      await page.locator('#addresses').fill(`${one}, ${two}\nstranger@elsewhere.example`);
      if (scripts) await page.locator('#checked', { hasText: 'stranger@' }).waitFor();
      else await page.getByRole('button', { name: 'Check first' }).click();
      assert.match(await page.innerText('#checked'), /no verified domain/);
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByText('2 added, 1 not.').waitFor();
      if (scripts) await judge(page, 'people-added');
      const mail = await world.mail.mailTo(one);
      assert.match(mail.text, /company account/);
      assert.ok(mail.link(/\/invite\//));
    });

    scenario(`r91 r92 r175 invitations are listed, sent again and taken back: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      const who = address(`invitee-${tag}`);
      await page.goto(`${world.console}/users/add`);
      await page.locator('#addresses').fill(who);
      await page.locator('input[name=skip]').check();
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByText('1 added, 0 not.').waitFor();
      await page.goto(`${world.console}/invitations`);
      const row = page.locator('tr', { hasText: who });
      assert.match(await row.innerText(), /Without mail/);
      assert.equal(world.mail.mails.some(({ to }) => to.includes(who)), false);
      await row.locator('input[type=checkbox]').check();
      await page.getByRole('button', { name: 'Send again' }).first().click();
      await page.getByText('1 sent again, 0 not.').waitFor();
      assert.ok((await world.mail.mailTo(who)).link(/\/invite\//));
      await page.locator('tr', { hasText: who }).locator('input[type=checkbox]').check();
      await page.getByRole('button', { name: 'Take back' }).click();
      await page.getByText('1 taken back, 0 not.').waitFor();
      assert.equal(await page.locator('tr', { hasText: who }).count(), 0);
    });

    scenario(`r173 a file is tried, told row by row, and carried out: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      await page.goto(`${world.console}/users/import`);
      const text = `email,given_name,roles\n${address(`file-${tag}`)},Fia,member\nnonsense,X,member\n${address(`file-${tag}-b`)},Bo,no-such-role\n`;
      await page.locator('#file').setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
      await page.getByRole('button', { name: 'Try the file' }).click();
      await page.getByRole('heading', { name: 'Tried, nothing written' }).waitFor();
      assert.match(await page.innerText('.facts'), /Would be added\s*1/);
      assert.equal(await page.locator('tbody tr').count(), 2);
      if (scripts) await judge(page, 'people-import-tried');
      await page.getByRole('button', { name: 'Import now' }).click();
      await page.waitForURL(/\/imports\//);
      assert.match(await page.innerText('.facts'), /Added\s*1/);
      await page.goto(`${world.console}/users?q=file-${tag}`);
      assert.equal(await page.locator('tbody a.name').count(), 1);
    });

    scenario(`f3 a team is moved, reminded, retired and taken back: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      const who = scripts ? 'bob' : 'eve';
      await page.goto(`${world.console}/conversions/new`);
      assert.match(await page.innerText('main'), /Recommended/);
      assert.equal(await page.locator('input[name=who][value=selected]').isChecked(), true);
      if (scripts) await judge(page, 'people-move-new');

      // Everybody, to see who would be passed over and why; then this one person.
      await page.locator('input[name=who][value=all]').check();
      await page.locator('input[name=reader]').check();
      await page.getByRole('button', { name: 'Preview' }).click();
      const preview = await page.innerText('main');
      assert.match(preview, /That is you/);
      assert.match(preview, /no verified domain/);
      if (scripts) await judge(page, 'people-move-preview');
      await page.getByRole('button', { name: 'Back and change' }).click();
      await page.locator('input[name=who][value=selected]').check();
      if ((await page.locator('details.fold[open]').count()) === 0) await page.locator('details.fold summary').click();
      await page.locator('li', { hasText: address(who) }).locator('input').check();
      await page.getByRole('button', { name: 'Preview' }).click();
      await page.getByRole('button', { name: 'Move 1 person' }).click();
      await page.waitForURL(/\/conversions\/cnv_/);
      const board = page.url();
      await eventually('the run is done', async () => {
        if (!scripts) await page.goto(board);
        return await atRest(page) && (await page.locator('main .badge.good', { hasText: 'Done' }).count()) > 0;
      });
      await page.goto(`${board}?show=not-yet`);
      assert.match(await page.innerText('tbody'), new RegExp(address(who)));
      assert.equal(await page.getByText('Retire accounts with a password').count(), 0, 'nobody has signed in');
      if (scripts) await judge(page, 'people-move-board');

      const visitor = new Browser();
      const link = (await world.mail.mailTo(address(who))).link(/\/invite\//);
      const opened = await visitor.open(link);
      const login = await visitor.submit(opened, opened.forms[0]);
      await visitor.signIn(login, { user: who, password: 'pw' });
      await page.goto(`${board}?show=signed-in`);
      assert.match(await page.innerText('tbody'), new RegExp(address(who)));
      await page.locator('summary', { hasText: 'Retire accounts' }).click();
      await page.locator('details[open] button', { hasText: 'Retire accounts' }).click();
      await page.getByText('1 retired, 0 not.').waitFor();
      await page.locator('summary', { hasText: 'Undo the run' }).click();
      await page.locator('details[open] button', { hasText: 'Undo the run' }).click();
      await page.getByText('The run is being taken back.').or(page.locator('.badge', { hasText: 'Taken back' })).first().waitFor();
      await eventually('the run is taken back', async () => {
        if (!scripts) await page.goto(board);
        return await atRest(page) && (await page.locator('#progress-title').locator('xpath=ancestor::section').locator('.badge', { hasText: 'Taken back' }).count()) > 0;
      });
      await page.goto(`${world.console}/users?q=${who}`);
      assert.match(await page.innerText('tbody'), /Active/);
    });

    scenario(`r110 r113 a domain is claimed, checked, and demands what can be demanded: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      await page.goto(`${world.console}/domains`);
      await page.locator('#name').fill('gmail.com');
      await page.getByRole('button', { name: 'Claim a domain' }).click();
      await page.locator('#problem', { hasText: 'Public mail domains' }).waitFor();
      await page.locator('#name').fill(`claimed-${tag}.example`);
      await page.getByRole('button', { name: 'Claim a domain' }).click();
      await page.waitForURL(/\/domains\/claimed/);
      assert.match(await page.innerText('section[aria-labelledby=record]'), /provost-verification=/);
      if (scripts) await judge(page, 'people-domain-pending');
      await page.goto(`${world.console}/domains/${ID}.example`);
      await page.locator('input[name=prevents]').check();
      await page.getByRole('button', { name: 'Save settings' }).click();
      await page.getByText('Saved.').waitFor();
      assert.equal(await page.locator('input[name=prevents]').isChecked(), true);
      await page.locator('input[name=required]').check();
      await page.getByRole('button', { name: 'Save settings' }).click();
      await page.getByText('This cannot be demanded yet').waitFor();
      await page.goto(`${world.console}/domains/claimed-${tag}.example`);
      await page.locator('summary', { hasText: 'Give the domain up' }).click();
      await page.locator('details[open] button', { hasText: 'Give the domain up' }).click();
      await page.waitForURL(/done=domain/);
    });

    scenario(`a key of the API is made, works, and is revoked: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      await page.goto(`${world.console}/developers`);
      await page.locator('summary', { hasText: 'New API key' }).click();
      await page.locator('#label').fill(`key ${tag}`);
      await page.getByRole('button', { name: 'Make key' }).click();
      await page.locator('#problem', { hasText: 'at least one scope' }).waitFor();
      await page.locator('input[value="accounts:read"]').check();
      await page.getByRole('button', { name: 'Make key' }).click();
      const secret = await page.locator('section[aria-labelledby=secret] code').innerText();
      assert.match(secret, /^pvk_/);
      const call = () => fetch(`${world.installation.origin}/api/v1/accounts?limit=1`, { headers: { authorization: `Bearer ${secret}` } });
      assert.equal((await call()).status, 200);
      await page.goto(`${world.console}/developers`);
      assert.ok(!(await page.content()).includes(secret));
      await page.locator('tr', { hasText: `key ${tag}` }).getByRole('button').click();
      await page.waitForURL(/done=key/);
      assert.equal((await call()).status, 401);
    });

    scenario(`a group kept by hand is made, filled, changed after a look, and deleted: ${how}`, async ({ world }) => {
      const page = await chromium.open({ scripts });
      await signIn(page, world);
      const name = `Builders ${tag}`;
      await page.goto(`${world.console}/groups`);
      await page.getByRole('link', { name: 'New group' }).first().click();
      await page.locator('#name').fill(name);
      await page.locator('#description').fill('Who builds the site');
      await page.locator('input[name=role][value=admin]').check();
      await page.getByRole('button', { name: 'Make the group' }).click();
      await page.getByText('Put people in now.').waitFor();
      const here = page.url().split('?')[0];
      for (const who of [1, 2]) {
        await page.locator('#q').fill(`team-${who}@`);
        await page.getByRole('button', { name: 'Find', exact: true }).click();
        await page.locator('#found').getByRole('button', { name: `Put in Team Person ${who}` }).click();
        await page.getByText('The person is in the group.').waitFor();
      }
      assert.match(await page.innerText('section[aria-labelledby=members] table'), /Admin\s*from the group Builders/);
      await page.getByRole('link', { name: 'Team Person 1' }).click();
      assert.match(await page.innerText('section[aria-labelledby=why]'), /Admin\s*from the group Builders/);
      await page.getByRole('link', { name, exact: true }).click();
      await page.locator('summary', { hasText: 'Change the group' }).click();
      await page.locator('input[name=role][value=admin]').uncheck();
      await page.getByRole('button', { name: 'See what changes' }).click();
      await page.getByText('Access would change for 2 of 2 members.').waitFor();
      await page.getByRole('button', { name: 'Save the group' }).click();
      await page.waitForURL(/done=group_saved/);
      await eventually('the members are brought along', async () => {
        await page.goto(here);
        return !/from the group/.test(await page.innerText('main'));
      });
      await page.getByRole('button', { name: 'Take out Team Person 2' }).click();
      await page.getByText('The person was taken out of the group.').waitFor();
      await page.locator('summary', { hasText: 'Delete the group' }).click();
      await page.locator('details[open] button', { hasText: 'Delete the group' }).click();
      await page.waitForURL(/\/users\/runs\//);
      await eventually('everybody is taken out', async () => {
        await page.goto(page.url());
        return /Through|1 of 1/.test(await page.innerText('main'));
      });
      await page.goto(`${world.console}/groups`);
      assert.equal(await page.getByText(name, { exact: true }).count(), 0);
    });
  }

  scenario('r188 a webhook is made, tried, followed, switched off and on, and deleted: with scripts and without', async ({ world }) => {
    for (const scripts of [true, false]) {
      const receiver = await startReceiver();
      try {
        const page = await chromium.open({ scripts });
        await signIn(page, world);
        await page.goto(`${world.console}/developers/webhooks`);
        await page.locator('summary', { hasText: 'New webhook' }).click();
        await page.locator('#url').fill('https://user:secret@app.example');
        await page.getByRole('button', { name: 'Add webhook' }).click();
        await page.locator('#problem', { hasText: 'https' }).waitFor();
        await page.locator('#url').fill(receiver.url);
        await page.locator('#description').fill('The app');
        await page.locator('input[value="user.*"]').check();
        await page.getByRole('button', { name: 'Add webhook' }).click();
        const secret = await page.locator('section[aria-labelledby=secret] code').innerText();
        assert.match(secret, /^whsec_/);
        if (scripts) await judge(page, 'webhook-made');
        await page.getByRole('button', { name: 'Send a test call' }).click();
        await page.locator('#tested', { hasText: 'arrived: 204' }).waitFor();
        assert.ok(!(await page.content()).includes(secret), 'shown once');
        assert.deepEqual(receiver.calls.map((call) => [call.body.type, signed(call, secret)]), [['webhook.test', true]]);

        receiver.status = 503;
        const who = address(`hook-${scripts ? 's' : 'n'}`);
        await page.goto(`${world.console}/users/add`);
        await page.locator('#addresses').fill(who);
        await page.locator('input[name=skip]').check();
        await page.getByRole('button', { name: 'Add', exact: true }).click();
        await page.getByText('1 added, 0 not.').waitFor();
        await page.goto(`${world.console}/developers/webhooks`);
        await page.locator('tbody a.name', { hasText: new URL(receiver.url).host }).click();
        const here = page.url();
        await eventually('the call was refused', async () => {
          await page.goto(here);
          return (await page.locator('tbody tr', { hasText: 'answered 503' }).count()) > 0;
        });
        receiver.status = 204;
        await eventually('the call arrives', async () => {
          await page.goto(here);
          return (await page.locator('tbody tr', { hasText: 'user.created' }).filter({ hasText: 'Arrived' }).count()) > 0;
        });
        if (scripts) await judge(page, 'webhook-followed');
        await page.locator('tbody a.name', { hasText: 'user.created' }).first().click();
        assert.match(await page.innerText('section[aria-labelledby=attempts]'), /204[^]*ms[^]*503/);
        assert.match(await page.innerText('section[aria-labelledby=payload]'), /"type": "user.created"/);
        if (scripts) await judge(page, 'webhook-delivery');
        const before = receiver.calls.length;
        await page.getByRole('button', { name: 'Send again' }).click();
        await page.waitForURL(/done=webhook_replayed/);
        await eventually('it is sent again', () => receiver.calls.length > before);
        assert.equal(receiver.calls.at(-1).headers['webhook-id'], receiver.calls.at(-2).headers['webhook-id']);

        await page.goto(here);
        await page.getByRole('button', { name: 'Pause' }).click();
        await page.getByText('The webhook is paused.').waitFor();
        await page.getByRole('button', { name: 'Switch on' }).click();
        await page.getByText('goes on where it stopped').waitFor();
        await page.locator('summary', { hasText: 'New secret' }).click();
        await page.locator('details[open] button', { hasText: 'New secret' }).click();
        const next = await page.locator('section[aria-labelledby=secret] code').innerText();
        await page.getByRole('button', { name: 'Send a test call' }).click();
        await page.locator('#tested', { hasText: 'arrived: 204' }).waitFor();
        assert.ok(signed(receiver.calls.at(-1), secret) && signed(receiver.calls.at(-1), next), 'both for a day');
        await page.locator('summary', { hasText: 'Delete webhook' }).click();
        await page.locator('details[open] button', { hasText: 'Delete webhook' }).click();
        await page.getByText('The webhook is deleted.').waitFor();
        await page.context().close();
      } finally {
        receiver.stop();
      }
    }
  });

  scenario('r18 r19 an operator sets a plan, makes an application and reads the history of mails', async ({ world }) => {
    const page = await chromium.open();
    await signInOperator(page, world);
    await page.goto(`${world.installation.origin}/console/operator`);
    await page.locator('tr', { hasText: 'Bare' }).getByRole('link', { name: 'Plan' }).click();
    await page.locator('input[name=scim]').uncheck();
    await page.locator('input[value=operator_only]').check();
    await judge(page, 'operator-plan');
    await page.getByRole('button', { name: 'Save plan' }).click();
    await page.waitForURL(/done=plan/);
    assert.equal(await page.locator('input[name=scim]').isChecked(), false);
    assert.equal(await page.locator('input[value=operator_only]').isChecked(), true);
    await page.goto(`${world.installation.origin}/console/operator/applications`);
    await page.locator('#client_id').fill('shop');
    await page.locator('#redirect_uris').fill('https://shop.example/callback');
    await page.getByRole('button', { name: 'Make application' }).click();
    assert.match(await page.locator('section[aria-labelledby=secret] code').innerText(), /^pvs_/);
    await judge(page, 'operator-applications');
    await page.goto(`${world.installation.origin}/console/operator/mails?state=sent`);
    assert.ok(await page.locator('tbody tr').count() > 0);
    await judge(page, 'operator-mails');
  });

  for (const appearance of appearancesOn(engine)) {
    const name = `${appearance.colorScheme}-${appearance.width}`;
    scenario(`pages of people are accessible and light: ${appearance.colorScheme} at ${appearance.width} px`, async ({ world }) => {
      const page = await chromium.open(appearance);
      await signIn(page, world);
      for (const [title, path] of Object.entries({ add: '/users/add', import: '/users/import', invitations: '/invitations', 'invitations-all': '/invitations?show=all', moves: '/conversions', 'move-new': '/conversions/new', domains: '/domains', domain: `/domains/${ID}.example`, developers: '/developers', webhooks: '/developers/webhooks', events: '/developers/events' })) {
        const weight = await visit(page, world.console + path);
        await judge(page, `people-${title}-${name}`);
        assert.ok(weight < HEAVIEST, `${title} weighs ${weight} bytes`);
      }
      const webhook = await world.api('POST', '/webhooks', { url: 'https://127.0.0.1:1/calls', organization: ID, kinds: ['webhook.*'], description: 'Nobody hears it' });
      await world.api('POST', `/webhooks/${webhook.webhook.id}/rotate-secret`, {});
      await eventually('a call was tried', async () => {
        await page.goto(`${world.console}/developers/webhooks/${webhook.webhook.id}`);
        return (await page.locator('tbody tr', { hasText: 'no connection to' }).count()) > 0;
      });
      await judge(page, `people-webhook-${name}`);
      await page.locator('tbody a.name').first().click();
      await judge(page, `people-delivery-${name}`);
      await visit(page, `${world.console}/developers/webhooks`);
      await judge(page, `people-webhooks-${name}`);
      await page.goto(`${world.console}/conversions`);
      await page.locator('tbody a.name').first().click();
      await judge(page, `people-move-${name}`);
      await visit(page, `${world.console}/groups`);
      await judge(page, `groups-none-${name}`);
      await visit(page, `${world.console}/groups/new`);
      await judge(page, `group-new-${name}`);
      await page.locator('#name').fill(`People who look after the northern workshops and their tools ${name}`);
      await page.locator('#description').fill('Keys to the gate, the cranes and the paint store');
      await page.locator('input[name=role][value=member]').check();
      await page.locator('input[name=role][value=admin]').check();
      await page.getByRole('button', { name: 'Make the group' }).click();
      await page.waitForURL(/done=group_made/);
      await judge(page, `group-empty-${name}`);
      const group = page.url().split('?')[0];
      for (const who of [3, 4]) {
        await page.goto(`${group}?q=team`);
        await page.locator('#found').getByRole('button', { name: `Put in Team Person ${who}` }).click();
        await page.waitForURL(/done=group_joined/);
      }
      await visit(page, `${group}?q=team`);
      await page.locator('summary', { hasText: 'Change the group' }).click();
      await judge(page, `group-${name}`);
      await page.locator('input[name=role][value=admin]').uncheck();
      await page.getByRole('button', { name: 'See what changes' }).click();
      await judge(page, `group-checked-${name}`);
      await page.getByRole('link', { name: 'Team Person 3' }).click();
      await judge(page, `group-person-${name}`);
      await visit(page, `${world.console}/groups`);
      await judge(page, `groups-${name}`);
      await page.goto(group);
      await page.locator('summary', { hasText: 'Delete the group' }).click();
      await page.locator('details[open] button', { hasText: 'Delete the group' }).click();
      await page.waitForURL(/\/users\/runs\//);
      await signInOperator(page, world);
      for (const [title, path] of Object.entries({ plan: `/operator/organizations/${ID}`, applications: '/operator/applications', mails: '/operator/mails' })) {
        const weight = await visit(page, `${world.installation.origin}/console${path}`);
        await judge(page, `operator-${title}-${name}`);
        assert.ok(weight < HEAVIEST, `${title} weighs ${weight} bytes`);
      }
    });
  }

  scenario('the pages of people speak German', async ({ world }) => {
    const page = await chromium.open({ locale: 'de-DE' });
    await signIn(page, world);
    for (const [path, words] of Object.entries({ '/users/add': /Personen hinzufügen/, '/conversions/new': /Empfohlen/, '/domains': /Domain beanspruchen/, '/groups/new': /Gruppe anlegen/, '/groups': /Hier gepflegt/, '/invitations': /Einladungen/ })) {
      await page.goto(world.console + path);
      assert.match(await page.innerText('main'), words);
    }
    await judge(page, 'people-invitations-german');
  });
});

/** An app that hears webhooks, and answers as it is told. */
async function startReceiver() {
  const receiver = { calls: [], status: 204 };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    if (receiver.status === 204) receiver.calls.push({ headers: request.headers, text, body: JSON.parse(text) });
    response.writeHead(receiver.status).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${server.address().port}/hooks`;
  receiver.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return receiver;
}

/** Verifies a call as Standard Webhooks says. */
function signed({ headers, text }, secret) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`;
  const good = `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  return headers['webhook-signature'].split(' ').includes(good);
}
