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
writeFileSync(at('provost.json'), JSON.stringify({
  organizations: [{ id: 'big', name: 'Big', domains: [{ name: 'big.example', verified: true }], roles: [{ id: 'owner', name: 'Owner', owner: true }, { id: 'member', name: 'Member', default: true }], licenses: [{ id: 'standard' }] }],
  users: [{ email: 'olga@big.example', password, memberships: [{ organization: 'big', roles: ['owner'] }] }],
}));
const rows = Array.from({ length: people }, (_, n) => `person-${n}@big.example,Given${n % 977},Family${n % 4999},big,member`);
writeFileSync(at('people.csv'), `email,given_name,family_name,organization,roles\n${rows.join('\n')}\n`);
provost('apply', at('provost.json'));
console.error(`importing ${people} people`);
provost('import', at('people.csv'));
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
  for (const where of ['', '/users', '/users?q=given5', '/users?role=owner', '/users?role=member', '/users?source=pinned', '/users?waiting=1', '/users?status=suspended', '/users/drift', '/users/add', '/invitations', '/conversions', '/domains', '/developers', '/licenses', '/activity']) {
    const found = [];
    for (let round = 0; round < rounds; round++) found.push(await page(`${origin}/console/big${where}`, { cookie }));
    if (found.some(({ status }) => status !== 200)) throw new Error(`${where}: ${found[0].status}`);
    const firsts = found.map(({ first }) => first).sort((a, b) => a - b);
    console.log(`| ${where || '/'} | ${firsts[rounds >> 1].toFixed(1)} | ${((found[0].bytes + assets) / 1000).toFixed(1)} |`);
  }
} finally {
  server.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}
