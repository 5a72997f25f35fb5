// A second app that knows nothing of our code: Debian's Apache with mod_auth_openidc in front of one page.
// The page shows the claims that reached it, one a line, as `name: value`.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, start, waitForHttp } from '../lib/process.mjs';
import { newDirectory } from '../lib/work.mjs';

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_openidc', 'dir', 'mime', 'include', 'env', 'socache_shmcb', 'proxy'];
const CLAIMS = ['sub', 'email', 'name', 'organization', 'organizations', 'account_kind', 'connection', 'sid', 'amr'];

/** Reserves the address first: the provider must know the redirect URI before Apache reads its metadata. */
export async function reserveApacheApp({ clientId, clientSecret, scope = 'openid email profile' }) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  return {
    clientId,
    clientSecret,
    scope,
    port,
    origin,
    redirectUri: `${origin}/app/callback`,
    loggedOutUri: `${origin}/goodbye.html`,
    backchannelLogoutUri: `${origin}/app/callback?logout=backchannel`,
    /** The protected page; opening it starts the sign-in. */
    page: `${origin}/app/`,
    /** The same page for one organization only, by `Require claim`. */
    pageFor: (organization) => `${origin}/only-${organization}/`,
    logoutUrl: `${origin}/app/callback?logout=${encodeURIComponent(`${origin}/goodbye.html`)}`,
  };
}

export async function startApacheApp(app, issuer, { organizations = [] } = {}) {
  const directory = newDirectory('apache');
  const documents = path.join(directory, 'htdocs');
  for (const folder of ['app', ...organizations.map((id) => `only-${id}`)]) {
    mkdirSync(path.join(documents, folder), { recursive: true });
    writeFileSync(path.join(documents, folder, 'index.shtml'), CLAIMS.map((name) => `${name}: <!--#echo encoding="none" var="OIDC_CLAIM_${name}" -->`).join('\n'));
  }
  writeFileSync(path.join(documents, 'goodbye.html'), '<!doctype html><title>Goodbye</title>');
  const file = path.join(directory, 'httpd.conf');
  writeFileSync(file, configuration({ app, issuer, directory, documents, organizations }));
  const program = start('apache', '/usr/sbin/apache2', ['-f', file, '-DFOREGROUND'], { env: { APACHE_STARTED_BY_SYSTEMD: 'no' } });
  await waitForHttp(`${app.origin}/goodbye.html`, program, { accept: (status) => status === 200 });
  return { ...app, program, stop: () => program.stop() };
}

/** The claims on the page, as an object; a claim that did not arrive is absent. */
export function claimsOf(page) {
  const lines = page.text.trim().split('\n').map((line) => /^(\w+): (.*)$/.exec(line) ?? []);
  return Object.fromEntries(lines.filter(([, , value]) => value && value !== '(none)').map(([, name, value]) => [name, value]));
}

function configuration({ app, issuer, directory, documents, organizations }) {
  return `
ServerRoot ${directory}
ServerName 127.0.0.1
Listen 127.0.0.1:${app.port}
PidFile ${directory}/httpd.pid
Mutex pthread
DefaultRuntimeDir ${directory}
ErrorLog /dev/stderr
LogLevel warn auth_openidc:info
${MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
TypesConfig /etc/mime.types
User ${process.getuid() === 0 ? 'www-data' : `#${process.getuid()}`}
Group ${process.getuid() === 0 ? 'www-data' : `#${process.getgid()}`}
ServerLimit 1
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
DocumentRoot ${documents}
DirectoryIndex index.shtml
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml

OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID ${app.clientId}
OIDCClientSecret ${JSON.stringify(app.clientSecret)}
OIDCRedirectURI ${app.redirectUri}
OIDCCryptoPassphrase loopback-only-not-a-secret
OIDCScope "${app.scope}"
OIDCPKCEMethod S256
OIDCResponseType code
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCSessionType server-cache
OIDCCacheType shm
OIDCPassClaimsAs environment
OIDCRemoteUserClaim sub
OIDCDefaultLoggedOutURL ${app.loggedOutUri}

<Directory ${documents}>
  Options +Includes
  Require all granted
</Directory>
<Location /app>
  AuthType openid-connect
  Require valid-user
</Location>
${organizations.map((id) => `<Location /only-${id}>
  AuthType openid-connect
  Require claim organization:${id}
</Location>`).join('\n')}
`;
}
