// One organization, one instant identity provider, one app: little enough to be started for every crash test.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { newInstallation } from '../lib/provost.mjs';
import { startInstantProvider } from './provider.mjs';

export const ORGANIZATION = 'acme';
export const APP = { clientId: 'crash-app', clientSecret: 'crash-app-secret-0123456789abcdef', redirectUri: 'http://127.0.0.1:9/callback' };

/**
 * `licenses` and `connection` vary the declarative file, `users` are accounts with passwords, `settings` are keys of provost.toml,
 * `lag` slows the identity provider down.
 */
export async function crashWorld(engine, { licenses, connection = {}, users = [], settings = {}, lag } = {}) {
  const provider = await startInstantProvider({ clientId: 'provost', lag });
  const logouts = await startLogoutReceiver();
  // Rate limits count by client address. Every person here says her own, as if a load balancer had added it.
  const installation = await newInstallation(engine, { trusted_proxies: ['127.0.0.0/8'], ...settings });
  return {
    engine,
    installation,
    provider,
    logouts,
    origin: installation.origin,
    /** How many answers people got so far. */
    answers: 0,
    document: {
      organizations: [{
        id: ORGANIZATION,
        name: 'Acme',
        domains: [{ name: 'acme.example', verified: true }],
        roles: [{ id: 'owner', name: 'Owner' }, { id: 'member', name: 'Member', default: true }],
        workspaces: [{ id: 'main', name: 'Main', default: true }],
        ...(licenses ? { licenses } : {}),
      }],
      connections: [{
        id: ORGANIZATION,
        organization: ORGANIZATION,
        protocol: 'oidc',
        oidc: { issuer: provider.issuer, client_id: 'provost', client_authentication: 'none', userinfo: false },
        domains: ['acme.example'],
        provisioning: 'jit',
        policy: { role: { fixed: 'Member' }, workspaces: { mode: 'all' } },
        ...connection,
      }],
      applications: [{
        client_id: APP.clientId,
        client_secret: APP.clientSecret,
        redirect_uris: [APP.redirectUri],
        backchannel_logout_uri: logouts.url,
        organizations: 'all',
      }],
      users,
    },
    async start() {
      await installation.apply(this.document);
      return installation.serve();
    },
    async stop() {
      await installation.stop();
      await provider.stop();
      await logouts.stop();
    },
  };
}

/** The app's back-channel logout address: remembers which sessions it was told about, and how often. */
async function startLogoutReceiver() {
  const told = new Map();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [, payload] = new URLSearchParams(body).get('logout_token').split('.');
    const { sid } = JSON.parse(Buffer.from(payload, 'base64url'));
    told.set(sid, (told.get(sid) ?? 0) + 1);
    response.writeHead(200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/backchannel-logout`,
    /** Session id => how often the app was told that it ended. */
    told,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
