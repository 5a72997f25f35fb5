// PostgreSQL goes away under load and comes back: the server stays, says that it is not ready, and goes on by itself.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Book } from './durability/book.mjs';
import { faults, readBackup } from './durability/ledger.mjs';
import { Cut, Person, Unexpected } from './durability/person.mjs';
import { crashWorld } from './durability/world.mjs';
import { ENGINES } from './lib/databases.mjs';
import { eventually, run } from './lib/process.mjs';
import { newDirectory } from './lib/work.mjs';

const SCRIPT = fileURLToPath(new URL('setup/postgres.sh', import.meta.url));

/** How often the database crashes. */
const CRASHES = 3;

describe('outages of postgres', { skip: !ENGINES.includes('postgres') }, () => {
  test('the server outlives its database and forgets nothing that it acknowledged', (t) => underLoad(t, async ({ world, cluster, book }) => {
    await control(cluster, 'stop');
    await eventually('the server says that it is not ready', async () => (await readiness(world)) === 503);
    await control(cluster, 'start');
    await eventually('the server says that it is ready', async () => (await readiness(world)) === 200);
    await moreSignIns(book);
  }));

  // Each loses what PostgreSQL had not written down: commits that share their wait for the disk are acknowledged after it.
  test('crashes of the database take back nothing that was acknowledged', (t) => underLoad(t, async ({ world, url, book }) => {
    for (let crash = 0; crash < CRASHES; crash++) {
      await eventually('people sign in at the same time', async () => (await backends(url, 'provost commit')).length > 0);
      const [victim] = await backends(url, 'provost');
      process.kill(victim, 'SIGKILL');
      await eventually('the database is back', async () => (await readiness(world)) === 200 && (await backends(url, 'psql').catch(() => [])).length > 0);
      await moreSignIns(book);
    }
  }));
});

/**
 * Signs people in on a cluster of its own (others use the shared one at the same time), with the settings of production, while
 * `outage` happens. In the end everything that was acknowledged is in the database, and the database keeps its rules.
 */
async function underLoad(t, outage) {
  const cluster = newDirectory('postgres');
  const { stdout } = await run(SCRIPT, ['start', cluster, 'durable']);
  const url = stdout.trim();
  const world = await crashWorld('sqlite', { settings: { database_url: url } });
  try {
    const node = await world.start();
    const book = new Book();
    const stage = { over: false, failed: 0 };
    const load = Promise.all(Array.from({ length: 6 }, (_, at) => signInAllTheTime(world, stage, book, at)));
    await eventually('some people are in', () => book.accounts.size >= 10);
    await outage({ world, cluster, url, book });
    stage.over = true;
    await load;
    assert.ok(stage.failed > 0, 'nobody noticed the outage');
    assert.deepEqual(await node.stop(), { code: 0, signal: null });
    const file = path.join(world.installation.directory, 'outage.backup');
    await world.installation.cli(['backup', file]);
    const table = readBackup(file);
    assert.deepEqual(faults(table), []);
    assert.deepEqual(book.missing(table), []);
    t.diagnostic(`${book.accounts.size} accounts, ${stage.failed} requests failed while the database was away`);
  } catch (error) {
    t.diagnostic(world.installation.tail());
    throw error;
  } finally {
    await world.stop();
    await run(SCRIPT, ['stop', cluster]);
  }
}

function moreSignIns(book) {
  const before = book.accounts.size;
  return eventually('people sign in again', () => book.accounts.size >= before + 10);
}

/** The processes of PostgreSQL that serve connections of this name. */
async function backends(url, name) {
  const { stdout } = await run('psql', [url, '-Atc', `SELECT pid FROM pg_stat_activity WHERE application_name = '${name}'`]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** Signs people in, one after the other; whoever meets the outage is given up, and what was acknowledged goes into `book`. */
async function signInAllTheTime(world, stage, book, at) {
  for (let visit = 0; !stage.over; visit++) {
    const person = new Person(world, `o${at}x${visit}`);
    try {
      await person.signIn();
      book.sessions.add(person.sessionDigest);
      await person.redeem();
      book.account(person.name, person.claims);
      book.refreshToken(person.tokens.refresh_token, 0);
    } catch (error) {
      if (!(error instanceof Cut || error instanceof Unexpected)) throw error;
      stage.failed += 1;
      await sleep(50);
    }
  }
}

async function readiness(world) {
  return (await fetch(`${world.origin}/readyz`)).status;
}

/** Stops the cluster as an administrator would, or starts it again where it was. */
async function control(cluster, action) {
  const data = path.join(cluster, 'data');
  const { stdout: bin } = await run('bash', ['-c', "printf '%s\\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1"]);
  const options = action === 'start' ? ['-l', path.join(data, 'server.log'), '-o', await optionsOf(data)] : ['-m', 'fast'];
  const command = [path.join(bin.trim(), 'pg_ctl'), '-D', data, '-w', ...options, action];
  if (process.getuid() === 0) command.unshift('runuser', '-u', 'postgres', '--');
  await run(command[0], command.slice(1), { cwd: '/' });
}

/** The options that the cluster was started with, its port among them. */
async function optionsOf(data) {
  const { stdout } = await run('cat', [path.join(data, 'postmaster.opts')]);
  return stdout.trim().replace(/^\S+ "-D" "[^"]*" /, '').replaceAll('"', '');
}
