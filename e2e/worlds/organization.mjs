// Pieces of the declarative file that the suites share.

/** One customer organization with the domain `<id>.example`. */
export function organization(id) {
  return {
    id,
    name: `Organization ${id}`,
    domains: [{ name: domainOf(id), verified: true }],
    roles: [{ id: 'owner', name: 'Owner' }, { id: 'admin', name: 'Admin' }, { id: 'member', name: 'Member' }],
    workspaces: [{ id: 'main', name: 'Main', default: true }, { id: 'lab', name: 'Lab' }],
    roles_per_member: 'many',
  };
}

/** An identity provider of the organization with the same id; people come just in time, admins by group. */
export function connection(id, protocol, options, others = {}) {
  return {
    id,
    organization: id,
    protocol,
    [protocol]: options,
    domains: [domainOf(id)],
    provisioning: 'jit',
    policy: { role: { expression: "contains(groups, 'admins') && 'Admin' || 'Member'" }, workspaces: { mode: 'all' } },
    ...others,
  };
}

/** The registration of an app with all organizations. */
export function application(app, others = {}) {
  return {
    client_id: app.clientId,
    client_secret: app.clientSecret,
    redirect_uris: [app.redirectUri],
    post_logout_redirect_uris: [app.loggedOutUri],
    backchannel_logout_uri: app.backchannelLogoutUri,
    organizations: 'all',
    ...others,
  };
}

export function domainOf(id) {
  return `${id}.example`;
}
