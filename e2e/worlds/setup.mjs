// A customer without any connection, its SAML identity provider, and somebody who runs that.
import { newInstallation } from '../lib/provost.mjs';
import { person, startSimpleSamlPhp } from '../partners/simplesamlphp.mjs';

export const PASSWORD = 'correct horse battery staple';
export const OWNER = 'olga@contoso.example';
/** Who runs the identity provider, and tests with an account of their own there. */
export const IVO = { user: 'ivo', password: 'pw', email: 'ivo@contoso.example' };

/** Others who sign in for the first time, each through a connection of her own. */
export const KIM = { user: 'kim', password: 'pw', email: 'kim@contoso.example' };
export const LOU = { user: 'lou', password: 'pw', email: 'lou@contoso.example' };

/** An organization that has nothing yet but its owner and a verified domain. */
export const CONTOSO = {
  organizations: [{
    id: 'contoso',
    name: 'Contoso',
    domains: [{ name: 'contoso.example', verified: true }],
    roles: [{ id: 'owner', name: 'Owner', owner: true }, { id: 'admin', name: 'Admin', admin: true }, { id: 'member', name: 'Member', default: true }],
    workspaces: [{ id: 'main', name: 'Main', default: true }],
  }],
  users: [{ email: OWNER, given_name: 'Olga', family_name: 'Holt', password: PASSWORD, memberships: [{ organization: 'contoso', roles: ['owner'] }] }],
};

export async function setupWorld(engine) {
  const people = [[IVO, 'Ivo'], [KIM, 'Kim'], [LOU, 'Lou']];
  const idp = await startSimpleSamlPhp({
    users: Object.fromEntries(people.map(([who, given]) => [who.user, person(who.user, { email: who.email, given, surname: 'Lund', groups: ['it', 'staff'], password: who.password })])),
  });
  return { ...await contoso(engine, idp), idp };
}

/** The customer of CONTOSO, served beside an identity provider that ends with it. */
export async function contoso(engine, provider) {
  const installation = await newInstallation(engine);
  const world = {
    installation,
    console: `${installation.origin}/console/contoso`,
    async stop() {
      await installation.stop();
      await provider.stop();
    },
  };
  try {
    await installation.apply(CONTOSO);
    await installation.serve();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}
