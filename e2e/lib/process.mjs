// Starts other programs on loopback, waits until they answer, keeps their output, and stops them by process id.
// Whatever a crashed test forgets is ended when the test process exits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { workDirectory } from './work.mjs';

const running = new Set();

process.on('exit', () => {
  // Not SIGKILL: Apache has to take its workers along.
  for (const child of running) child.kill('SIGTERM');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

let started = 0;

/** Starts a program in the background; its output goes to a log file of its own. */
export function start(name, command, args, { env = {}, cwd } = {}) {
  const logs = path.join(workDirectory(), 'logs');
  mkdirSync(logs, { recursive: true });
  const logFile = path.join(logs, `${name}-${process.pid}-${++started}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
  closeSync(log);
  // A forgotten program must not keep the test process alive: it is killed when that one ends.
  child.unref();
  running.add(child);
  let spawnError;
  child.once('error', (error) => {
    spawnError = error;
    running.delete(child);
  });
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return {
    name,
    pid: child.pid,
    logFile,
    get failed() {
      return spawnError ?? (child.exitCode !== null || child.signalCode !== null ? new Error(`${name} exited`) : undefined);
    },
    exited,
    tail: (lines = 40) => tailOf(logFile, lines),
    /** Asks politely, then insists; returns how it ended. */
    async stop(graceMs = 10_000) {
      if (child.exitCode !== null || child.signalCode !== null) return exited;
      child.ref();
      child.kill('SIGTERM');
      const ended = await Promise.race([exited, sleep(graceMs, undefined, { ref: false })]);
      if (ended) return ended;
      child.kill('SIGKILL');
      return exited;
    },
  };
}

/** Runs a program to its end; throws with its output when it does not exit with `expect` (`null`: any code will do). */
export async function run(command, args, { env = {}, cwd, input, expect = 0 } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  if (expect !== null && code !== expect) {
    throw new Error(`${command} ${args.join(' ')} exited with ${code}\n${stdout}\n${stderr}`);
  }
  return { code, stdout, stderr };
}

/** Polls `url` until it answers with a status below 500, or fails with the tail of the program's log. */
export async function waitForHttp(url, program, { timeoutMs = 30_000, accept = (status) => status < 500 } = {}) {
  const deadline = Date.now() + timeoutMs;
  let last = 'no answer';
  while (Date.now() < deadline) {
    if (program?.failed) throw new Error(`${program.failed.message}\n${program.tail()}`);
    try {
      const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5_000) });
      await response.arrayBuffer();
      if (accept(response.status)) return;
      last = `status ${response.status}`;
    } catch (error) {
      last = error.cause?.code ?? error.message;
    }
    await sleep(25);
  }
  throw new Error(`${url} did not get ready (${last})\n${program?.tail() ?? ''}`);
}

/** Calls `probe` until it returns something truthy; for effects that arrive in the background. */
export async function eventually(what, probe, { timeoutMs = 15_000, everyMs = 50 } = {}) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await sleep(everyMs);
  }
}

function tailOf(file, lines) {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
