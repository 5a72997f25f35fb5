// A world with one SAML identity provider and many connections to it: each connection is one way of speaking SAML.
import { newInstallation } from '../lib/provost.mjs';
import { startOpenidApp } from '../partners/openid-app.mjs';
import { person, startSimpleSamlPhp } from '../partners/simplesamlphp.mjs';
import { application, connection, domainOf, organization } from './organization.mjs';

/** By connection: what our side is told (`ours`), and what the identity provider is told about us (`theirs`). */
export const WAYS = {
  'signed-response': { theirs: { 'saml20.sign.response': true, 'saml20.sign.assertion': false } },
  'signed-assertion': { theirs: { 'saml20.sign.response': false, 'saml20.sign.assertion': true } },
  'signed-both': { theirs: { 'saml20.sign.response': true, 'saml20.sign.assertion': true } },
  'sha512': { theirs: { 'signature.algorithm': 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512' } },
  'post-request': { ours: { request_binding: 'post' } },
  'signed-redirect-request': { ours: { sign_requests: true }, theirs: { 'validate.authnrequest': true } },
  'signed-post-request': { ours: { sign_requests: true, request_binding: 'post' }, theirs: { 'validate.authnrequest': true } },
  'encrypted': { ours: { allow_cbc: true }, theirs: { 'assertion.encryption': true } },
  'encrypted-and-signed': { ours: { allow_cbc: true }, theirs: { 'assertion.encryption': true, 'saml20.sign.response': true, 'saml20.sign.assertion': true } },
  'by-email': { ours: { name_id_format: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' }, theirs: { NameIDFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' } },
};

/** Connections on which a sign-in must not succeed, for the reason in their name. */
export const REFUSED_WAYS = {
  'nothing-signed': { theirs: { 'saml20.sign.response': false, 'saml20.sign.assertion': false } },
  'sha1': { theirs: { 'signature.algorithm': 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' } },
  'cbc-not-allowed': { theirs: { 'assertion.encryption': true } },
};

/** Connections with a purpose of their own. */
const OTHERS = {
  'from-the-portal': { ours: { idp_initiated: { allowed_applications: ['portal-app'] } } },
  // Known by user name, which may be the subject or the asserted name: Ann's fit two accounts.
  'which-account': { ...WAYS['by-email'], rules: { match: ['subject', 'user_name'], on_ambiguous: 'ask' } },
};

/** Two accounts of Ann on one connection. */
function twins(id) {
  const account = (email, user_name, display_name) => ({ email, connection: id, user_name, display_name, memberships: [{ organization: id, roles: ['member'] }] });
  const domain = domainOf(id);
  return [account(`ann.before@${domain}`, `ann@${domain}`, 'Ann Ek, until 2025'), account(`a.ek@${domain}`, `ann-${id}`, 'Ann Ek')];
}

const ALL = { ...WAYS, ...REFUSED_WAYS, ...OTHERS };

/** The people of a connection: Ann is an admin, Bob is not, Eve's e-mail belongs to somebody else's domain. */
function peopleOf(id) {
  const domain = domainOf(id);
  return {
    [`ann-${id}`]: person(`ann-${id}`, { email: `ann@${domain}`, given: 'Ann', surname: 'Ek', groups: ['admins', 'staff'] }),
    [`bob-${id}`]: person(`bob-${id}`, { email: `bob@${domain}`, given: 'Bob', surname: 'Öz', groups: ['staff'] }),
    [`eve-${id}`]: person(`eve-${id}`, { email: 'eve@elsewhere.example', given: 'Eve', surname: 'Ng', groups: ['admins'] }),
  };
}

export async function samlWorld(engine) {
  const ids = Object.keys(ALL);
  const idp = await startSimpleSamlPhp({ users: Object.assign({}, ...ids.map(peopleOf)) });
  const app = await startOpenidApp({ clientId: 'portal-app', clientSecret: 'portal-app-secret-0123456789abcdef' });
  const installation = await newInstallation(engine);
  const world = {
    installation,
    idp,
    app,
    document: {
      organizations: ids.map(organization),
      connections: ids.map((id) => connection(id, 'saml', { metadata_url: idp.metadataUrl, ...ALL[id].ours }, ALL[id].rules)),
      users: twins('which-account'),
      applications: [application(app, { initiate_login_uri: `${app.origin}/login` })],
    },
    /** Our entity ID of a connection, as the identity provider sees it. */
    entityId: (id) => `${installation.origin}/sso/${id}/saml/metadata`,
    async stop() {
      await installation.stop();
      await app.stop();
      await idp.stop();
    },
  };
  try {
    await installation.apply(world.document);
    await installation.serve();
    for (const id of ids) {
      const metadata = await fetch(world.entityId(id));
      if (!metadata.ok) throw new Error(`metadata of ${id}: ${metadata.status}\n${installation.tail()}`);
      await idp.trust(id, await metadata.text(), ALL[id].theirs);
    }
    await app.discover(installation.origin);
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

/** Signs a person in through the app and a connection; returns the page where it ended. */
export async function signInThrough(world, browser, id, who = 'ann') {
  const login = await browser.open(world.app.loginUrl({ connection: id }));
  return browser.signIn(login, { user: `${who}-${id}`, password: 'pw' });
}
