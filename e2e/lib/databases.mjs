// A fresh database for every installation, on both engines.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './process.mjs';
import { workDirectory } from './work.mjs';

/** The engines that every scenario runs on; PROVOST_E2E_ENGINES=sqlite narrows it while working. */
export const ENGINES = (process.env.PROVOST_E2E_ENGINES ?? 'sqlite,postgres').split(',');

const SCRIPT = fileURLToPath(new URL('../setup/postgres.sh', import.meta.url));
let cluster;
let made = 0;

/** Makes an empty database and returns its URL. */
export async function createDatabase(engine, directory) {
  if (engine === 'sqlite') return `sqlite:${path.join(directory, 'data', 'provost.db')}`;
  const server = new URL(await clusterUrl());
  const name = `e2e_${process.pid}_${++made}`;
  await run('psql', [server.href, '-qc', `CREATE DATABASE ${name}`]);
  server.pathname = `/${name}`;
  return server.href;
}

/** Changes rows behind the product's back: what only time would change. */
export async function execute(database, sql) {
  if (database.startsWith('sqlite:')) {
    const script = 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=10); c.execute(sys.argv[2]); c.commit()';
    await run('python3', ['-c', script, database.slice('sqlite:'.length), sql]);
  } else {
    await run('psql', [database, '-qc', sql]);
  }
}

/** Stops the cluster, if this process started one of its own. */
export async function stopCluster() {
  if (!cluster) return;
  const { directory } = await cluster;
  cluster = undefined;
  await run(SCRIPT, ['stop', directory]);
}

/** ./test starts one cluster for all and says where; by hand, each test file gets its own. */
async function clusterUrl() {
  if (process.env.PROVOST_TEST_POSTGRES_URL) return process.env.PROVOST_TEST_POSTGRES_URL;
  cluster ??= (async () => {
    const directory = path.join(workDirectory(), `postgres-${process.pid}`);
    const { stdout } = await run(SCRIPT, ['start', directory]);
    return { directory, url: stdout.trim() };
  })();
  return (await cluster).url;
}
