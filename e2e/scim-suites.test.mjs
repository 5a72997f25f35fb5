// Conformance suites of SCIM that others wrote, against the real binary, each with a directory of its own.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runBlazemeter } from './lib/blazemeter.mjs';
import { exchange } from './lib/exchanges.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { microsoftCollection, scim2Tester, scimSanity } from './partners/scim-suites.mjs';
import { scimWorld } from './worlds/scim.mjs';

// Suites that no registry has are read where they are and never copied: PROVOST_SUITES names a folder with Microsoft's
// collection (microsoft-scim.postman.json), PROVOST_OKTA_SUITES one with Okta's files as okta-developer-docs names them.
const suites = process.env.PROVOST_SUITES ?? fileURLToPath(new URL('../../shared/suites', import.meta.url));
const MICROSOFT = path.join(suites, 'microsoft-scim.postman.json');
const okta = process.env.PROVOST_OKTA_SUITES ?? suites;
const OKTA = { '2.0': path.join(okta, 'Okta-SCIM-20-SPEC-Test.json'), '1.1': path.join(okta, 'Okta-SCIM-11-SPEC-Test.json') };

// The people of these suites have addresses in domains that nobody here owns, and some share one.
const anyAddress = { require_domain: false };

/** What Microsoft's collection asserts and we answer otherwise, with the reason: everything else must pass. */
const MICROSOFT_MISSES = [
  {
    request: 'Patch user omalley new username', assertion: 'Status code is 204',
    because: 'a PATCH of a user answers 200 with the whole resource: both are allowed (RFC 7644 3.5.2), Okta and scim-sanity need the body, Entra takes either',
  },
  {
    request: 'patch user omalley active with boolean', assertion: 'Status code is 204',
    because: 'the same',
  },
  {
    request: 'Group patch add member', assertion: 'Status code is 204',
    because: 'a PATCH of a group of up to 100 members answers 200 with the group: scim-sanity fails every 204',
  },
  {
    request: 'Group patch add member2', assertion: 'Status code is 204',
    because: 'the same',
  },
  {
    request: 'Get group by id', assertion: 'Body contians user',
    because: 'it looks for a "displayName" that it put beside the value of a member; there is no such attribute (RFC 7643 4.2), and "display" is read-only',
  },
];
// Of 103 in its folders, and 4 more that look for an empty directory at the end.
const MICROSOFT_MISSES_AT_MOST = MICROSOFT_MISSES.length;

onEachEngine('SCIM suites', (engine) => scimWorld(engine, ['tester', 'sanity', 'microsoft', 'okta'], { all: anyAddress }), (scenario) => {
  scenario('r150 scim2-tester: every check is a success', async ({ world, t }) => {
    const result = await scim2Tester(world.endpoint('tester'));
    t.diagnostic(`scim2-tester: ${result.checks.length - result.failures.length} of ${result.checks.length} checks`);
    assert.equal(result.code, 0, result.failures.map(({ status, title, reason }) => `${status} ${title}\n${reason}`).join('\n') || result.output);
    // As many as a server with the whole core and enterprise schema gets: fewer means that /Schemas says less than we can do.
    assert.ok(result.checks.length >= 135, `only ${result.checks.length} checks ran`);
  });

  scenario('r150 scim-sanity, strict: nothing fails', async ({ world, t }) => {
    const { summary, results } = await scimSanity(world.endpoint('sanity'));
    t.diagnostic(`scim-sanity: ${summary.passed} passed, ${summary.failed} failed, ${summary.warnings} warnings, ${summary.skipped} skipped`);
    const bad = results.filter(({ status }) => !['pass', 'skip'].includes(status));
    assert.deepEqual(bad, []);
    assert.ok(summary.passed >= 28, JSON.stringify(summary));
  });

  scenario("r150 Microsoft's Postman collection", async ({ world, t }) => {
    if (!existsSync(MICROSOFT)) return t.skip(`no ${path.basename(MICROSOFT)} in ${suites}: set PROVOST_SUITES`);
    const { total, passed, failures } = await microsoftCollection({ file: MICROSOFT, ...world.endpoint('microsoft') });
    t.diagnostic(`Microsoft's collection: ${passed} of ${total}`);
    const unexplained = failures.filter(({ request, assertion }) => !MICROSOFT_MISSES.some((miss) => miss.request === request && miss.assertion === assertion));
    assert.deepEqual(unexplained, []);
    assert.ok(total >= 107, `only ${total} assertions ran`);
    assert.ok(failures.length <= MICROSOFT_MISSES_AT_MOST, `${passed} of ${total}`);
  });

  for (const [version, prefix] of [['2.0', 'v2'], ['1.1', 'v1']]) {
    scenario(`r151 Okta's published SPEC test ${version}`, async ({ world, t }) => {
      const file = OKTA[version];
      if (!existsSync(file)) return t.skip(`no ${path.basename(file)} in ${okta}: set PROVOST_OKTA_SUITES`);
      const endpoint = world.endpoint('okta', prefix);
      await seed(endpoint, version);
      const results = await runBlazemeter(JSON.parse(readFileSync(file, 'utf8')), oktaVariables(endpoint, version), { timeFactor: 10 });
      const failed = results.filter(({ passed }) => !passed);
      t.diagnostic(`Okta SPEC ${version}: ${results.length - failed.length} of ${results.length}`);
      assert.deepEqual(failed, []);
      assert.equal(results.length, { '2.0': 52, '1.1': 90 }[version]);
    });
  }
});

/** Two of Okta's tests look at the first user of the list: there has to be one. */
async function seed({ base, token }, version) {
  const schemas = version === '2.0' ? ['urn:ietf:params:scim:schemas:core:2.0:User'] : ['urn:scim:schemas:core:1.0'];
  const userName = `seed-${version}@okta.example`;
  const user = { schemas, userName, name: { givenName: 'Seed', familyName: 'Person' }, emails: [{ primary: true, type: 'work', value: userName }], active: true };
  const { status, text } = await exchange(base, 'POST', '/Users', user, { authorization: `Bearer ${token}` });
  assert.equal(status, 201, text);
}

/** What Okta's own initial script sets. */
function oktaVariables({ base, token }, version) {
  const given = `Runscope${version.replace('.', '')}`;
  const family = 'Hxqpzvmnb123';
  const email = `${given}${family}@atko.com`;
  return {
    SCIMBaseURL: base,
    auth: `Bearer ${token}`,
    randomGivenName: given,
    randomFamilyName: family,
    randomEmail: email,
    randomUsername: email,
    randomUsernameCaps: email.toUpperCase(),
    InvalidUserEmail: 'abcdefgh@atko.com',
    UserIdThatDoesNotExist: '010101001010101011001010101011',
  };
}
