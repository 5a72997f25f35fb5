// scimmy-routers on Express 4 with the smallest storage that its handlers can have: two maps in memory.
//   node serve.mjs PORT
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import express from 'express';
import SCIMMY from 'scimmy';
import SCIMMYRouters from 'scimmy-routers';

const port = Number(process.argv[2]);
const token = 'peer-token-0123456789abcdef';
const { version } = JSON.parse(readFileSync(new URL('node_modules/scimmy-routers/package.json', import.meta.url), 'utf8'));

/** A map that answers the three calls scimmy makes; user names are indexed, as any real storage would. */
function storage(Resource, unique) {
  const all = new Map();
  const names = new Map();
  return {
    ingress(resource, data) {
      const id = resource.id ?? randomUUID();
      const name = data[unique]?.toLowerCase();
      if (names.has(name) && names.get(name) !== id) throw new SCIMMY.Types.Error(409, 'uniqueness', `${unique} is taken`);
      if (resource.id && !all.has(id)) throw new SCIMMY.Types.Error(404, null, `${id} not found`);
      const now = new Date().toISOString();
      const kept = { ...JSON.parse(JSON.stringify(data)), id, meta: { created: all.get(id)?.meta.created ?? now, lastModified: now } };
      all.set(id, kept);
      names.set(name, id);
      return kept;
    },
    egress(resource) {
      if (resource.id) {
        if (!all.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
        return all.get(resource.id);
      }
      const wanted = resource.filter?.length === 1 && resource.filter[0][unique];
      if (Array.isArray(wanted) && wanted[0] === 'eq') {
        const found = all.get(names.get(String(wanted[1]).toLowerCase()));
        return found ? [found] : [];
      }
      return [...all.values()];
    },
    degress(resource) {
      const kept = all.get(resource.id);
      if (!kept) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
      all.delete(resource.id);
      names.delete(kept[unique]?.toLowerCase());
    },
  };
}

SCIMMY.Resources.declare(SCIMMY.Resources.User, storage(SCIMMY.Resources.User, 'userName'));
SCIMMY.Resources.declare(SCIMMY.Resources.Group, storage(SCIMMY.Resources.Group, 'displayName'));

const app = express();
app.use('/scim/v2', new SCIMMYRouters({
  type: 'bearer',
  handler: (request) => {
    if (request.header('Authorization') !== `Bearer ${token}`) throw new Error('wrong token');
    return 'directory';
  },
}));
app.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ base: '/scim/v2', token, version, storage: 'memory' })));
process.on('SIGTERM', () => process.exit(0));
