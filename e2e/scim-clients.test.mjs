// What real directories send, request by request, and the exact answer that each needs: the data is in scim/clients.
import { readdirSync, readFileSync } from 'node:fs';
import { runExchanges } from './lib/exchanges.mjs';
import { onEachEngine } from './lib/scenario.mjs';
import { scimWorld } from './worlds/scim.mjs';

const folder = new URL('./scim/clients/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.json')).sort()
  .map((name) => ({ id: name.replace('.json', ''), ...JSON.parse(readFileSync(new URL(name, folder), 'utf8')) }));
const settings = Object.fromEntries(files.map((file) => [file.id, file.connection ?? {}]));

let made = 0;

onEachEngine('SCIM clients', (engine) => scimWorld(engine, files.map(({ id }) => id), settings), (scenario) => {
  for (const { id, client, version, headers = {}, scenarios } of files) {
    for (const { name, steps } of scenarios) {
      scenario(`${client} ${version}: ${name}`, async ({ world }) => {
        const variables = { n: `n${++made}`, domain: `${id}.example`, ...world.endpoint(id, version === '1.1' ? 'v1' : 'v2') };
        await runExchanges({ ...world.endpoint(id, version === '1.1' ? 'v1' : 'v2'), headers, steps, variables });
      });
    }
  }
});
