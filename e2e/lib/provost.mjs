// The product under test: its real binary, configured by a file, filled with `provost apply`, started with `provost serve`.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDatabase, execute } from './databases.mjs';
import { freePort, run, start, waitForHttp } from './process.mjs';
import { newDirectory } from './work.mjs';

/** The binary: PROVOST_BIN, or what cargo built last for release or development. */
export function binary() {
  const candidates = [process.env.PROVOST_BIN, '../../target/release/provost', '../../target/debug/provost']
    .filter(Boolean)
    .map((each) => (path.isAbsolute(each) ? each : fileURLToPath(new URL(each, import.meta.url))));
  const found = candidates.find(existsSync);
  if (!found) throw new Error(`no provost binary; build it first. Looked at ${candidates.join(', ')}`);
  return found;
}

/** One installation: an address, a database of its own, a data key. Several nodes may serve it. Passkeys want a `host` with a name. */
export async function newInstallation(engine, { host = '127.0.0.1', ...settings } = {}) {
  const directory = newDirectory(`provost-${engine}`);
  const port = await freePort();
  const database = await createDatabase(engine, directory);
  const installation = {
    engine,
    directory,
    origin: `http://${host}:${port}`,
    nodes: [],
    /** Runs a command of the binary against this installation. */
    cli: (args, options = {}) => run(binary(), [...args, '--config', path.join(directory, 'provost.toml')], { cwd: directory, env, ...options }),
    /** Changes rows behind the product's back. */
    sql: (text) => execute(database, text),
    /** Writes the declarative document and applies it; returns what the command printed. */
    async apply(document, ...flags) {
      const file = path.join(directory, 'provost.json');
      writeFileSync(file, JSON.stringify(document, null, 2));
      return (await installation.cli(['apply', file, ...flags])).stdout;
    },
    /** Starts a node. Without `own` it listens at the public address; with it, elsewhere, as behind a load balancer. */
    async serve({ own = false } = {}) {
      const listen = own ? await freePort() : port;
      const program = start(`provost-${engine}`, binary(), ['serve', '--config', path.join(directory, 'provost.toml')], {
        cwd: directory,
        env: { ...env, PROVOST_LISTEN: `127.0.0.1:${listen}` },
      });
      const node = { ...program, program, origin: `http://127.0.0.1:${listen}` };
      installation.nodes.push(program);
      await waitForHttp(`${node.origin}/readyz`, program, { accept: (status) => status === 200 });
      return node;
    },
    async stop() {
      for (const node of installation.nodes.splice(0)) await node.stop();
    },
    /** What all nodes logged last: printed when a scenario fails. */
    tail: (lines = 60) => installation.nodes.map((node) => `--- ${node.logFile}\n${node.tail(lines)}`).join('\n'),
  };
  const env = { PROVOST_DATA_KEY: Buffer.alloc(32, 7).toString('base64') };
  mkdirSync(path.join(directory, 'data'), { recursive: true });
  writeFileSync(path.join(directory, 'provost.toml'), toToml({
    listen: `127.0.0.1:${port}`,
    public_url: installation.origin,
    database_url: database,
    data_dir: path.join(directory, 'data'),
    // Every partner of this suite lives on loopback.
    allow_private_addresses: true,
    ...settings,
  }));
  return installation;
}

function toToml(settings) {
  return Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('');
}
