// A customer without any connection, and its OpenID provider, where applications are registered while the wizard waits.
import { startOpenidProvider } from '../partners/openid-provider.mjs';
import { IVO, KIM, contoso } from './setup.mjs';

const claims = (who, given_name, groups) => ({ email: who.email, email_verified: true, name: `${given_name} Lund`, given_name, family_name: 'Lund', groups });

export async function oidcSetupWorld(engine) {
  const provider = await startOpenidProvider({
    users: {
      [IVO.user]: { password: IVO.password, claims: claims(IVO, 'Ivo', ['it', 'staff']) },
      [KIM.user]: { password: KIM.password, claims: claims(KIM, 'Kim', ['staff']) },
    },
    clients: [],
  });
  return { ...await contoso(engine, provider), provider };
}
