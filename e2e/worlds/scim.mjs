// A world of directories that push: one organization and one connection per directory, so that none sees another's people.
import { newInstallation } from '../lib/provost.mjs';
import { connection, organization } from './organization.mjs';

/** The token of a directory. */
export function tokenOf(id) {
  return `scim-token-of-${id}-0123456789abcdef`;
}

/** A connection in scim mode. Its identity provider is never asked: only the push matters here. */
export function pushingConnection(id, { scim = {}, oidc = {}, ...others } = {}) {
  return connection(id, 'oidc', { issuer: `https://idp.${id}.example`, client_id: 'provost', client_secret: 'never-used-here-0123456789', ...oidc }, {
    provisioning: 'scim',
    // Suites deactivate and delete most of their people: no sign of trouble here.
    scim: { tokens: [{ label: 'test', token: tokenOf(id) }], departure_guard: 'off', ...scim },
    ...others,
  });
}

/** One directory per id; `settings` are further fields of all connections. */
export async function scimWorld(engine, ids, settings = {}) {
  // A suite sends as fast as it can from one address: the limit per connection is far above it.
  const installation = await newInstallation(engine);
  const world = {
    installation,
    document: {
      organizations: ids.map(organization),
      connections: ids.map((id) => pushingConnection(id, settings[id] ?? settings.all ?? {})),
    },
    /** Where a directory pushes to, and with what. */
    endpoint: (id, version = 'v2') => ({ base: `${installation.origin}/scim/${id}/${version}`, token: tokenOf(id) }),
    stop: () => installation.stop(),
  };
  try {
    await installation.apply(world.document);
    await installation.serve();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}
