// What every refusal of the product looks like from outside.
import assert from 'node:assert/strict';

/** A refusal is a page of ours with a plain reason and a reference number, and it is not a server error. */
export function assertRefused(page, world) {
  assert.equal(page.url.origin, world.installation.origin, `${page.url} ${page.words}`);
  assert.ok(page.status >= 400 && page.status < 500, `${page.status} ${page.words}`);
  assert.ok(referenceOn(page), page.words);
}

/** The reference number that a refused person reads out to an administrator. */
export function referenceOn(page) {
  return /reference[^\w]*(?:number)?[^\w]*([\w-]{8,})/i.exec(page.words)?.[1];
}
