// simplesamlphp as a SAML identity provider on PHP's own web server.
// Its fixed configuration is in the folder of the same name; what a test varies goes through settings.json.
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, run, start, waitForHttp } from '../lib/process.mjs';
import { newDirectory } from '../lib/work.mjs';

const WWW = '/usr/share/simplesamlphp/www';

/** Attributes by the names that the product understands without configuration. */
export function person(uid, { email, given, surname, groups = [], password = 'pw', ...others }) {
  const attributes = { uid: [uid], emailaddress: [email], givenname: [given], surname: [surname], ...others };
  // Like real identity providers, an empty list is not sent at all.
  if (groups.length > 0) attributes.groups = groups;
  return { password, attributes };
}

export async function startSimpleSamlPhp({ users, validateRequests = false }) {
  const directory = newDirectory('simplesamlphp');
  const port = await freePort();
  // Another host name than the product's: for a browser these are two sites, as in real life.
  const baseUrl = `http://localhost:${port}`;
  const settings = { baseUrl, users, validateRequests, keys: ['first'], serviceProviders: {} };
  // In one step: every request of the running server reads this file.
  const save = () => {
    writeFileSync(path.join(directory, 'settings.next'), JSON.stringify(settings, null, 2));
    renameSync(path.join(directory, 'settings.next'), path.join(directory, 'settings.json'));
  };
  await makeKey(directory, 'first');
  save();

  const program = start('simplesamlphp', 'php', ['-d', 'display_errors=0', '-d', 'opcache.enable_cli=0', '-S', `127.0.0.1:${port}`, '-t', WWW], {
    env: { PROVOST_E2E_IDP: directory, SIMPLESAMLPHP_CONFIG_DIR: fileURLToPath(new URL('simplesamlphp', import.meta.url)) },
  });
  const metadataUrl = `${baseUrl}/saml2/idp/metadata.php`;
  await waitForHttp(metadataUrl, program, { accept: (status) => status === 200 });

  return {
    program,
    baseUrl,
    metadataUrl,
    entityId: metadataUrl,
    users: settings.users,
    async metadata() {
      return (await fetch(metadataUrl)).text();
    },
    /** Imports a service provider's metadata document; `changes` are simplesamlphp's own option names. */
    async trust(name, xml, changes = {}) {
      writeFileSync(path.join(directory, `${name}.xml`), xml);
      settings.serviceProviders[`${name}.xml`] = changes;
      save();
    },
    /** Where a person starts when she begins at the identity provider. */
    startUrl(serviceProvider, relayState) {
      const url = new URL(`${baseUrl}/saml2/idp/SSOService.php`);
      url.searchParams.set('spentityid', serviceProvider);
      if (relayState) url.searchParams.set('RelayState', relayState);
      return url.href;
    },
    /** Where she signs out when she begins at the identity provider. */
    get logoutUrl() {
      return `${baseUrl}/saml2/idp/SingleLogoutService.php?ReturnTo=${encodeURIComponent(`${baseUrl}/logout.php`)}`;
    },
    /** Key rollover, first half: the new certificate appears in the metadata, the old one still signs. */
    async announceKey(name) {
      await makeKey(directory, name);
      settings.keys.push(name);
      save();
    },
    /** Key rollover, second half: only the newest key is left. */
    useNewestKey() {
      settings.keys = settings.keys.slice(-1);
      save();
    },
    stop: () => program.stop(),
  };
}

async function makeKey(directory, name) {
  const file = (ending) => path.join(directory, `${name}.${ending}`);
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', '30', '-subj', `/CN=${name}.idp.example`,
    '-keyout', file('key'), '-out', file('crt')]);
}
