// Conformance suites of SCIM that others wrote, each run as its authors say and read into plain values.
import { readFileSync } from 'node:fs';
import newman from 'newman';
import { freePort, run, start, waitForHttp } from '../lib/process.mjs';
import { pythonProgram } from './python.mjs';

/** scim2-tester through scim2-cli: exit 0 only when every check is a SUCCESS. */
export async function scim2Tester({ base, token }) {
  const { code, stdout, stderr } = await run(pythonProgram('scim2'), ['--url', base, 'test', '--verbose'], {
    expect: null,
    env: { SCIM_CLI_HEADERS: `Authorization: Bearer ${token}`, NO_COLOR: '1', COLUMNS: '200' },
  });
  const checks = [];
  for (const line of stdout.split('\n')) {
    const found = /^(SUCCESS|ERROR|SKIPPED|ACCEPTABLE|DEVIATION|CRITICAL|COMPLIANT|UNCOMPLIANT) (.*)$/.exec(line);
    if (found) checks.push({ status: found[1], title: found[2], reason: '' });
    else if (checks.length > 0) checks.at(-1).reason += `${line.trim()}\n`;
  }
  return { code, checks, failures: checks.filter(({ status }) => status !== 'SUCCESS'), output: `${stdout}\n${stderr}` };
}

/** scim-sanity in its strict mode: nothing that the RFCs ask for is forgiven. */
export async function scimSanity({ base, token }) {
  const { stdout, stderr } = await run(pythonProgram('scim-sanity'), ['probe', base, '--token', token, '--i-accept-side-effects', '--strict', '--json-output'], { expect: null });
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`scim-sanity printed no result\n${stdout}\n${stderr}`);
  }
}

/** Microsoft's Postman collection with newman. Its first folder fetches a token from a server of Microsoft's: not from ours. */
export async function microsoftCollection({ file, base, token }) {
  const url = new URL(base);
  const collection = JSON.parse(readFileSync(file, 'utf8'));
  collection.item = collection.item.filter(({ name }) => name !== 'Get Token');
  const globals = { Protocol: url.protocol.slice(0, -1), Server: url.hostname, Port: `:${url.port}`, Api: url.pathname.replace(/^\/|\/$/g, ''), token };
  const summary = await new Promise((resolve, reject) => {
    newman.run({
      collection,
      globals: { values: Object.entries(globals).map(([key, value]) => ({ key, value })) },
      reporters: [],
      timeoutRequest: 20_000,
    }, (error, done) => (error ? reject(error) : resolve(done)));
  });
  const { total, failed } = summary.run.stats.assertions;
  return {
    total,
    passed: total - failed,
    failures: summary.run.failures.map(({ source, parent, error }) => ({ folder: parent?.name, request: source?.name, assertion: error.test ?? error.name, message: error.message })),
  };
}

/** scim2-server, in memory: what the runners here are tried on, and a directory to push to. */
export async function startScim2Server({ token }) {
  const port = await freePort();
  const program = start('scim2-server', pythonProgram('scim2-server'), ['--port', String(port), '--bearer-token', token]);
  const base = `http://127.0.0.1:${port}/v2`;
  await waitForHttp(`${base}/ServiceProviderConfig`, program);
  return { base, token, stop: () => program.stop() };
}
