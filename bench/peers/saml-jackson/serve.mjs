// Directory sync of @boxyhq/saml-jackson behind Node's own HTTP server, as its documentation wires it.
//   node serve.mjs [postgres://…] PORT      without a database it keeps everything in memory
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import jackson from '@boxyhq/saml-jackson';

const [database, port] = process.argv.length > 3 ? process.argv.slice(2) : [undefined, process.argv[2]];
const { version } = JSON.parse(readFileSync(new URL('node_modules/@boxyhq/saml-jackson/package.json', import.meta.url), 'utf8'));
// Everything on standard output but our one line would be read as it.
console.info = console.error;
const say = console.log;
console.log = console.error;

const { directorySyncController } = await jackson.default({
  externalUrl: `http://127.0.0.1:${port}`,
  samlAudience: 'bench',
  samlPath: '/saml',
  scimPath: '/scim/v2',
  noAnalytics: true,
  boxyhqLicenseKey: 'none',
  db: database ? { engine: 'sql', type: 'postgres', url: database, pageLimit: 100 } : { engine: 'mem', pageLimit: 100 },
});
const { data: directory, error } = await directorySyncController.directories.create({
  name: 'bench', tenant: 'bench', product: 'bench', type: 'okta-scim-v2', webhook_url: '', webhook_secret: '',
});
if (error) throw new Error(error.message);
const token = directory.scim.secret;
const base = `/scim/v2/${directory.id}`;

createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const url = new URL(request.url, 'http://127.0.0.1');
  const [resourceType, resourceId] = url.pathname.slice(base.length + 1).split('/');
  const query = url.searchParams;
  const { status, data } = await directorySyncController.requests.handle({
    method: request.method,
    body: text ? JSON.parse(text) : undefined,
    directoryId: directory.id,
    resourceType,
    resourceId,
    apiSecret: request.headers.authorization?.slice('Bearer '.length),
    query: {
      count: query.has('count') ? Number(query.get('count')) : undefined,
      startIndex: query.has('startIndex') ? Number(query.get('startIndex')) : undefined,
      filter: query.get('filter') ?? undefined,
    },
  });
  response.writeHead(status, { 'content-type': 'application/scim+json' }).end(JSON.stringify(data));
}).listen(Number(port), '127.0.0.1', () => say(JSON.stringify({ base, token, version, storage: database ? 'PostgreSQL' : 'memory' })));
process.on('SIGTERM', () => process.exit(0));
