/** How long chaos lasts, and what goes with that: the form that people ask for, and one that fits into `npm test`. */
import type { Options } from './chaos.ts';

type Say = Options['say'];

const USERS = 3;
const SETTLE_MS_MAX = 60_000;
/** For each run that is asked for. */
const STRIKE_MS_PER_RUN = 15_000;

export const longForm = (runs: number, seed: number, say: Say): Options => ({
  seed,
  runs,
  users: USERS,
  pace: { gapMs: [400, 4_000], briefMs: [200, 2_500], longMs: [3_500, 8_000], downMs: [0, 2_000] },
  strikeMsMax: STRIKE_MS_PER_RUN * runs,
  settleMsMax: SETTLE_MS_MAX,
  replay: `npm run chaos -- --runs ${runs} --seed ${seed}`,
  say,
});

/** Some forty seconds. Pauses are shorter than a node's lease, and some are longer than a leader's. */
export const shortForm = (seed: number, say: Say): Options => ({
  seed,
  runs: 8,
  users: USERS,
  pace: { gapMs: [200, 1_500], briefMs: [200, 1_500], longMs: [3_500, 4_500], downMs: [0, 1_000] },
  strikeMsMax: 15_000,
  settleMsMax: SETTLE_MS_MAX,
  replay: `REGATTA_SEED=${seed} npm test test/chaos/chaos.test.ts`,
  say,
});
