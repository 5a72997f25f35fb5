// The management API against its own description: schemathesis asks every endpoint with good and bad requests, and no answer may
// be a fault of ours, have a status or a type that the description does not name, or another shape than it says.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './lib/process.mjs';
import { newInstallation } from './lib/provost.mjs';

const environment = process.env.PROVOST_E2E_PYTHON_API ?? fileURLToPath(new URL('.work/python-api', import.meta.url));
const checker = path.join(environment, 'bin', 'st');

const document = {
  organizations: [{
    id: 'home-lab', name: 'Home Lab', domains: [{ name: 'home-lab.example', verified: true }],
    roles: [{ id: 'owner' }, { id: 'admin' }, { id: 'member', default: true }], workspaces: [{ id: 'main', default: true }],
    licenses: [{ id: 'standard', seats: 5 }],
  }],
  applications: [{ client_id: 'shop', client_secret: 'a-secret-of-the-shop-0123456789', redirect_uris: ['https://app.example/callback'] }],
  users: [{ email: 'ann@home-lab.example', memberships: [{ organization: 'home-lab', roles: ['owner'] }] }],
};

test('the management API answers as its description says', async (t) => {
  if (!existsSync(checker)) throw new Error(`${checker} is missing: run e2e/setup/python.sh e2e/.work/python-api e2e/api/requirements.txt`);
  const installation = await newInstallation('sqlite');
  try {
    await installation.apply(document);
    const made = await installation.cli(['api-key', 'create', '--label', 'schemathesis']);
    const key = /pvk_[A-Za-z0-9_-]+/.exec(made.stdout)[0];
    await installation.serve();
    const { code, stdout, stderr } = await run(checker, [
      'run', `${installation.origin}/api/openapi.json`, '--no-color', '-H', `Authorization: Bearer ${key}`,
      '--phases', 'examples,coverage,fuzzing', '--max-examples', '8', '--max-time', '90', '--generation-deterministic',
      '--checks', 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance',
      // A key has 1,200 requests in a minute.
      '--rate-limit', '1100/m', '--workers', '1', '--no-shrink', '--continue-on-failure', '--suppress-health-check', 'all',
      // It would end the very key that asks, or everything else.
      '--exclude-operation-id', 'revokeApiKey',
      // Its tool fails in itself while it makes bodies of text/csv, at times; imports have tests of their own.
      '--exclude-operation-id', 'createImport',
    ], { cwd: installation.directory, expect: null });
    t.diagnostic(stdout.split('\n').slice(-25).join('\n'));
    assert.equal(code, 0, `${stdout}\n${stderr}`);
  } finally {
    await installation.stop();
  }
});
