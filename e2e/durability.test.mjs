// The server is killed while people sign in, and stopped while requests run: nothing acknowledged is lost, nothing is half done.
// DURABILITY_CYCLES=1000 kills it that often on each engine; DURABILITY_SEED repeats the choices of a run.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Book } from './durability/book.mjs';
import { faults, readBackup } from './durability/ledger.mjs';
import { live, seeded } from './durability/lives.mjs';
import { Person } from './durability/person.mjs';
import { crashWorld } from './durability/world.mjs';
import { binary, newInstallation } from './lib/provost.mjs';
import { run } from './lib/process.mjs';
import { onEachEngine } from './lib/scenario.mjs';

const CYCLES = Number(process.env.DURABILITY_CYCLES ?? 15);
const SEED = Number(process.env.DURABILITY_SEED ?? Date.now() % 1_000_000);
const LIVES = 6;

onEachEngine('crashes', (engine) => crashWorld(engine), (scenario) => {
  scenario('a start that is killed at any moment can be made again', async ({ engine }) => {
    const random = seeded(SEED);
    const installation = await newInstallation(engine);
    for (let attempt = 0; attempt < 8; attempt++) {
      await killAfter(installation, random() * (attempt + 1) * 25);
    }
    await installation.serve();
    await installation.stop();
    await assertWhole(installation, engine);
  });

  scenario(`kill -9 in the middle of sign-ins, ${CYCLES} times: every acknowledged write is there, once`, async ({ world, engine, t }) => {
    t.diagnostic(`DURABILITY_SEED=${SEED}`);
    const random = seeded(SEED + 1);
    const book = new Book();
    const stage = new Stage();
    let node = await world.start();
    const lives = live(world, stage, book, LIVES, random);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      stage.open();
      await answers(world, 5 + random() * 115);
      await sleep(random() * 15);
      stage.close();
      await kill(world.installation, node);
      assertQuiet(node);
      if (cycle % 5 === 4) await killAfter(world.installation, random() * 150);
      node = await world.installation.serve();
    }
    stage.open();
    await sleep(300);
    stage.end();
    await lives;
    await assertKeysStayed(world, book);
    assert.deepEqual(await node.stop().then(({ code }) => code), 0);
    const table = await assertWhole(world.installation, engine);
    t.diagnostic(`${book.answered} steps answered, ${book.cut} cut off, ${book.accounts.size} accounts, ${table('events').length} events`);
    assert.deepEqual(book.missing(table), []);
    assert.ok(book.cut > 0, 'no request was cut off: the kills came at the wrong moments');
    assert.ok(book.accounts.size >= CYCLES / 3, 'too little happened between the kills');
    assertInvitedOnly(table);
  });
});

/** Says whether the server is up, to those who want to send something. */
class Stage {
  over = false;
  #waiting = [];
  #isOpen = false;

  open() {
    this.#isOpen = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  close() {
    this.#isOpen = false;
  }

  end() {
    this.over = true;
    this.open();
  }

  async up() {
    if (!this.#isOpen) await new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Waits until people got so many answers, wherever in their sign-ins that leaves them. */
async function answers(world, count) {
  const deadline = Date.now() + 5_000;
  const wanted = world.answers + count;
  while (world.answers < wanted && Date.now() < deadline) await sleep(1);
}

async function kill(installation, node) {
  process.kill(node.pid, 'SIGKILL');
  const { signal } = await node.exited;
  assert.equal(signal, 'SIGKILL', `it was gone before it was killed\n${node.tail()}`);
  installation.nodes.splice(0);
}

/** Starts the server and kills it while it starts. */
async function killAfter(installation, milliseconds) {
  const config = path.join(installation.directory, 'provost.toml');
  const child = spawn(binary(), ['serve', '--config', config], {
    cwd: installation.directory,
    env: { ...process.env, PROVOST_DATA_KEY: Buffer.alloc(32, 7).toString('base64') },
    stdio: 'ignore',
  });
  await sleep(milliseconds);
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A server that was killed has nothing to complain about, and neither has the one that found the pieces. */
function assertQuiet(node) {
  const complaints = readFileSync(node.logFile, 'utf8').split('\n').filter((line) => /\b(ERROR|WARN)\b|panicked/.test(line));
  assert.deepEqual(complaints, []);
}

/** Everything that holds for every database; the server is stopped, so the backup is the truth. Returns its tables. */
async function assertWhole(installation, engine) {
  if (engine === 'sqlite') {
    const file = path.join(installation.directory, 'data', 'provost.db');
    const { stdout } = await run('sqlite3', ['-readonly', file, 'PRAGMA integrity_check; PRAGMA foreign_key_check;']);
    assert.equal(stdout.trim(), 'ok');
  }
  const file = path.join(installation.directory, 'after-the-crashes.backup');
  await installation.cli(['backup', file]);
  const table = readBackup(file);
  assert.deepEqual(faults(table), []);
  return table;
}

/** Tokens of before the first kill are still good after the last: the signing keys came back, and no others. */
async function assertKeysStayed(world, book) {
  const person = new Person(world, 'p0x0');
  await person.signIn();
  book.sessions.add(person.sessionDigest);
  await person.redeem();
  book.account('p0x0', person.claims);
  assert.equal((await person.userinfo()).status, 200);
  const { keys } = await (await fetch(`${world.origin}/oauth2/jwks`)).json();
  assert.equal(keys.length, 3);
}

/** Nobody is there who was never asked for. */
function assertInvitedOnly(table) {
  for (const { email } of table('accounts')) assert.match(email, /^p\d+x\d+@acme\.example$/);
}
