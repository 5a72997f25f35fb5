// Where the suite keeps what it generates: e2e/.work, or the folder that PROVOST_E2E_WORK names.
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = process.env.PROVOST_E2E_WORK ?? fileURLToPath(new URL('../.work', import.meta.url));

/** The folder for everything generated; git ignores it. */
export function workDirectory() {
  mkdirSync(root, { recursive: true });
  return root;
}

/** A new empty folder whose name starts with `name`. Readable by all: some partners give up root. */
export function newDirectory(name) {
  const runs = path.join(workDirectory(), 'runs');
  mkdirSync(runs, { recursive: true });
  const directory = mkdtempSync(path.join(runs, `${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}
