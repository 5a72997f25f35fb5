// Pages of the console with many people: first byte and bytes. `node bench/console.mjs [people] [rounds]` after `cargo build --release`.
// Goals: first byte under 20 ms, page with style sheet and script under 50 kB. Reports only. SQLite, one node on 127.0.0.1.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

const [people, rounds] = [Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 40)];
const binary = process.env.PROVOST_BIN ?? path.resolve('target/release/provost');
const [port, password] = [18_473, 'correct horse battery staple'];
const origin = `http://127.0.0.1:${port}`;
const folder = mkdtempSync(path.join(tmpdir(), 'provost-console-'));
const env = { ...process.env, PROVOST_DATA_KEY: Buffer.alloc(32, 7).toString('base64') };
const at = (name) => path.join(folder, name);
const provost = (...args) => execFileSync(binary, [...args, '--config', at('provost.toml')], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1e9 });

/** One request over a kept connection: milliseconds to the first byte, bytes of the body as sent. */
const page = (url, headers) => new Promise((resolve, reject) => {
  const begun = performance.now();
  get(url, { headers: { 'accept-encoding': 'gzip', ...headers } }, (answer) => {
    const first = performance.now() - begun;
    let bytes = 0;
    answer.on('data', (chunk) => { bytes += chunk.length; });
    answer.on('end', () => resolve({ first, bytes, status: answer.statusCode }));
  }).on('error', reject);
});

writeFileSync(at('provost.toml'), `listen = "127.0.0.1:${port}"\npublic_url = "${origin}"\n`);
// A connection that few sign in through, filters that hardly anybody fits, and a group of the organization's own.
const few = Math.min(1_000, Math.floor(people / 2));
const file = {
  organizations: [{
    id: 'big', name: 'Big', domains: [{ name: 'big.example', verified: true }],
    roles: [{ id: 'owner', name: 'Owner', owner: true }, { id: 'admin', name: 'Admin' }, { id: 'member', name: 'Member', default: true }],
    workspaces: [{ id: 'main', default: true }, { id: 'lab' }], licenses: [{ id: 'standard' }],
  }],
  connections: [{
    id: 'big-idp', name: 'Provider', organization: 'big', protocol: 'oidc', domains: ['big.example'], provisioning: 'jit',
    oidc: { issuer: 'https://idp.big.example', client_id: 'provost', client_secret: 'upstream-secret-0123456789' },
  }],
  users: [
    { email: 'olga@big.example', password, memberships: [{ organization: 'big', roles: ['owner'] }] },
    ...Array.from({ length: 20 }, (_, n) => ({ email: `sso-${n}@big.example`, connection: 'big-idp', memberships: [{ organization: 'big', roles: ['member'] }] })),
  ],
};
const groups = [{ name: 'Builders', roles: ['member'], members: Array.from({ length: few }, (_, n) => ({ email: `person-${n}@big.example` })) }];
writeFileSync(at('provost.json'), JSON.stringify(file));
writeFileSync(at('groups.json'), JSON.stringify({ ...file, organizations: [{ ...file.organizations[0], groups }], users: [] }));
const rows = Array.from({ length: people }, (_, n) => `person-${n}@big.example,Given${n % 977},Family${n % 4999},big,member`);
writeFileSync(at('people.csv'), `email,given_name,family_name,organization,roles\n${rows.join('\n')}\n`);
provost('apply', at('provost.json'));
console.error(`importing ${people} people`);
provost('import', at('people.csv'));
provost('apply', at('groups.json'));
provost('operator', 'add', '--email', 'olga@big.example');
const server = spawn(binary, ['serve', '--config', at('provost.toml')], { cwd: folder, env, stdio: 'ignore' });
try {
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(`${origin}/readyz`).then((answer) => answer.ok, () => false)) break;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  const cookies = (answer) => answer.headers.getSetCookie().map((line) => line.split(';')[0]);
  const form = await fetch(`${origin}/login/password`);
  const [, token] = (await form.text()).match(/name="form_token" value="([^"]+)"/);
  const entered = await fetch(`${origin}/login/password`, { method: 'POST', redirect: 'manual', headers: { cookie: cookies(form).join('; ') }, body: new URLSearchParams({ form_token: token, email: 'olga@big.example', password }) });
  const cookie = [...cookies(form), ...cookies(entered)].join('; ');
  const assets = (await Promise.all(['provost.css', 'console.js'].map((name) => page(`${origin}/assets/${name}`)))).reduce((sum, one) => sum + one.bytes, 0);
  console.log('| page | first byte ms (median) | kB with style sheet and script |\n| --- | ---: | ---: |');
  const text = async (where) => (await fetch(`${origin}${where}`, { headers: { cookie } })).text();
  /** The address of the first link of a page that fits. */
  const first = async (where, link) => (await text(`/console/big${where}`)).match(link)?.[1];
  const account = await first('/users?q=person-7%40', /href="users\/(acc_[^"?/]+)"/);
  const person = account && `/users/${account}`;
  const group = await first('/groups', /href="\/console\/big(\/groups\/grp_[^"?/]+)"/);
  const trace = await first('/activity?show=attempts', /href="\/console\/big(\/traces\/[^"?/]+)"/);
  const connection = '/connections/big-idp';
  const pages = [
    '', '/users', '/users?q=given5', '/users?q=person-7', '/users?role=owner', '/users?role=member', '/users?role=admin',
    '/users?source=pinned', '/users?source=scim', '/users?source=import', '/users?workspace=lab', '/users?workspace=main', '/users?waiting=1', '/users?pinned=1',
    '/users?status=active', '/users?status=suspended', '/users?status=invited', '/users?kind=reader', '/users?via=big-idp', '/users?via=-sso', '/users?via=-password',
    '/users?unseen=90', '/users?role=member&status=suspended', '/users?workspace=lab&source=scim', '/users/drift', '/users/add', '/users/import',
    person, '/groups', '/groups/new', group, group && `${group}?q=person-9`, '/invitations', '/conversions', '/conversions/new', '/domains', '/domains/big.example', '/access', '/licenses',
    '/sign-in', '/activity', '/activity?show=attempts', '/activity?show=changes', '/activity?show=events', trace, '/connections', connection,
    ...['activity', 'claims', 'more', 'policies', 'provisioning', 'scim', 'values', 'values/edit'].map((tab) => `${connection}/${tab}`),
    '/developers', '/developers/configuration', '/developers/events', '/developers/webhooks',
  ].map((where) => where === undefined ? where : `/console/big${where}`);
  pages.push('/console', ...['', '/activity', '/applications', '/connections', '/health', '/jobs', '/mails', '/organizations/big'].map((where) => `/console/operator${where}`));
  if (pages.includes(undefined)) throw new Error(`a page has no address: ${JSON.stringify({ person, group, trace })}`);
  for (const where of pages) {
    const found = [];
    for (let round = 0; round < rounds; round++) found.push(await page(`${origin}${where}`, { cookie }));
    if (found.some(({ status }) => status !== 200)) throw new Error(`${where}: ${found[0].status}`);
    const firsts = found.map(({ first }) => first).sort((a, b) => a - b);
    console.log(`| ${where} | ${firsts[rounds >> 1].toFixed(1)} | ${((found[0].bytes + assets) / 1000).toFixed(1)} |`);
  }
} finally {
  server.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}
