// Runs one suite of scenarios on each database engine, and shows what the product and the browsers did when one fails.
import { after, before, describe, test } from 'node:test';
import { Browser } from './browser.mjs';
import { ENGINES, stopCluster } from './databases.mjs';

/**
 * `setUp(engine)` returns the world of the suite: anything, with `installation` and `stop()`.
 * `scenarios(scenario, engine)` declares them; each gets `{ world, browser() }`.
 */
export function onEachEngine(name, setUp, scenarios) {
  for (const engine of ENGINES) {
    describe(`${name} on ${engine}`, () => {
      let world;
      before(async () => {
        world = await setUp(engine);
      });
      after(async () => {
        await world?.stop();
        await stopCluster();
      });
      scenarios((title, body) => test(title, async (t) => {
        const browsers = [];
        const browser = () => browsers[browsers.push(new Browser()) - 1];
        try {
          await body({ world, browser, t, engine });
        } catch (error) {
          for (const each of browsers) t.diagnostic(`browser:\n${each.story()}`);
          for (const failure of world?.provider?.failures ?? []) t.diagnostic(`provider: ${failure.error_description} ${failure.error_detail ?? failure.stack}`);
          t.diagnostic(world?.installation?.tail() ?? 'no server');
          throw error;
        }
      }), engine);
    });
  }
}
