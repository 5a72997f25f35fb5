// A world where mail leaves to a real mail server: one organization, one OpenID provider, and a key of the API.
import { newInstallation } from '../lib/provost.mjs';
import { startMailServer } from '../partners/mail-server.mjs';
import { startOpenidProvider } from '../partners/openid-provider.mjs';
import { connection, organization } from './organization.mjs';

const SECRET = 'secret-of-lab-0123456789abcdef';

export const ID = 'lab';
export const address = (name) => `${name}@${ID}.example`;

/** `mail`: options of the mail server. `settings`: further keys of the configuration. `users`: of the declarative file. */
export async function mailWorld(engine, { mail, settings = {}, users = [], provisioning = 'manual' } = {}) {
  const server = await startMailServer(mail);
  const installation = await newInstallation(engine, {
    mail_transport: 'smtp',
    mail_from: 'Lab accounts <accounts@sso.example>',
    mail_smtp_url: server.url,
    mail_smtp_tls: mail?.tls ? 'required' : 'off',
    ...settings,
  });
  const person = (name) => [name, { password: 'pw', claims: { email: address(name), email_verified: true, name, given_name: name, family_name: 'Lab', groups: [] } }];
  const provider = await startOpenidProvider({
    users: Object.fromEntries(['ann', 'bob', 'eve'].map(person)),
    clients: [{
      client_id: 'provost-lab',
      client_secret: SECRET,
      redirect_uris: [`${installation.origin}/sso/${ID}/oidc/callback`],
    }],
  });
  const world = {
    installation,
    provider,
    mail: server,
    node: undefined,
    document: {
      organizations: [organization(ID)],
      connections: [connection(ID, 'oidc', { issuer: provider.issuer, client_id: 'provost-lab', client_secret: SECRET, scopes: ['openid', 'profile', 'email'] }, { provisioning, policy: undefined })],
      users,
    },
    /** Calls the management API. */
    async api(method, path, body) {
      const response = await fetch(`${installation.origin}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${world.key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        body: body && JSON.stringify(body),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return JSON.parse(text);
    },
    async stop() {
      await installation.stop();
      await provider.stop();
      await server.stop();
    },
  };
  try {
    await installation.apply(world.document);
    const { stdout } = await installation.cli(['api-key', 'create', '--label', 'e2e']);
    world.key = stdout.match(/pvk_\S+/)[0];
    world.node = await installation.serve();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}
