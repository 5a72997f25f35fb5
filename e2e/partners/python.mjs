// The virtual environment that setup/python.sh makes: its programs, and scripts of ours that use its libraries.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../lib/process.mjs';

/** Where the environment is; ./test makes it there. */
const environment = process.env.PROVOST_E2E_PYTHON ?? fileURLToPath(new URL('../.work/python', import.meta.url));

/** The path of a program in the environment. */
export function pythonProgram(name) {
  const program = path.join(environment, 'bin', name);
  if (!existsSync(program)) throw new Error(`${program} is missing: run e2e/setup/python.sh e2e/.work/python`);
  return program;
}

/** Runs one of our Python scripts, named relative to e2e/; returns the JSON that it prints last. */
export async function runScript(script, args, { env = {} } = {}) {
  const file = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const { stdout } = await run(pythonProgram('python'), [file, ...args], { env: { PYTHONDONTWRITEBYTECODE: '1', ...env } });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}
