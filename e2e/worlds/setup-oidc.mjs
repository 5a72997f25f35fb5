// A customer without any connection, and its OpenID provider, where applications are registered while the wizard waits.
import { newInstallation } from '../lib/provost.mjs';
import { startOpenidProvider } from '../partners/openid-provider.mjs';
import { CONTOSO, IVO, KIM } from './setup.mjs';

const claims = (who, given_name, groups) => ({ email: who.email, email_verified: true, name: `${given_name} Lund`, given_name, family_name: 'Lund', groups });

export async function oidcSetupWorld(engine) {
  const provider = await startOpenidProvider({
    users: {
      [IVO.user]: { password: IVO.password, claims: claims(IVO, 'Ivo', ['it', 'staff']) },
      [KIM.user]: { password: KIM.password, claims: claims(KIM, 'Kim', ['staff']) },
    },
    clients: [],
  });
  const installation = await newInstallation(engine);
  const world = {
    installation,
    provider,
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
