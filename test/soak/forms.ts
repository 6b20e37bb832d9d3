/** How long a soak is, and what goes with that: the form that people ask for, and one that fits into `npm test`. */
import { limits } from '../../services/coordinator/src/engine/limits.ts';
import { MIB } from '../bench/numbers.ts';
import type { Options } from './soak.ts';

/** Four keep two nodes with two cores each busy, and leave each run a host process of its own: see site.ts. */
const USERS = 4;
/** A minute's worth of five: 10,000 of them in the usual form. */
const SHORT_RUNS_PER_MINUTE = 2_000;
const SHORT_RUNS_PER_S = 150;
/** The mix is what the short runs leave of the time, but at least this part of it. */
const MIX_PART = 0.5;
const WARM_UP_S_MAX = 30;

/** Of a process that has warmed up, over minutes: within it growth cannot be told from noise. */
const NOISE = { leastMiB: 30, part: 0.25 };
/** Of one that is warming up. */
const START = { leastMiB: 150, part: 1 };
/**
 * What payloads add, as far as they have been freed and not given back: those under way, at most 16 MiB of each user,
 * and in the coordinator what it may keep in memory of runs that have ended. It is reused, so it is allowed for once.
 * That it is memory which nothing holds is checked apart, and strictly: leftovers.ts, Q2.
 */
const TRANSIT_MIB = 16 * USERS;

type Say = Options['say'];

export const shortRunsOf = (minutes: number): number => Math.round(SHORT_RUNS_PER_MINUTE * minutes);

/** For so many minutes, and the rest after it. */
export function longForm(minutes: number, seed: number, shortRuns: number, say: Say): Options {
  const seconds = 60 * minutes;
  return {
    seed,
    shortRuns,
    mixMs: 1000 * Math.max(MIX_PART * seconds, seconds - shortRuns / SHORT_RUNS_PER_S),
    users: USERS,
    pace: { pauseMs: [1_000, 8_000], stopMs: [1_000, 6_000] },
    warmUpS: Math.min(WARM_UP_S_MAX, 0.1 * seconds),
    shortAllowances: { coordinator: NOISE, agents: NOISE, hosts: NOISE },
    mixAllowances: {
      coordinator: { ...NOISE, besidesMiB: TRANSIT_MIB + limits.keptMemoryBytesMax / MIB },
      agents: { ...NOISE, besidesMiB: TRANSIT_MIB },
      hosts: NOISE,
    },
    longRest: true,
    replay: `npm run soak -- --minutes ${minutes} --seed ${seed} --short-runs ${shortRuns}`,
    say,
  };
}

/**
 * Half a minute. Resident memory still rises by as much as it ever will, so its bound catches only what would soon be
 * the end of the machine; what leaks more slowly shows in the memory in use, before and after.
 */
export function shortForm(seed: number, say: Say): Options {
  return {
    seed,
    shortRuns: 200,
    mixMs: 15_000,
    users: USERS,
    pace: { pauseMs: [200, 800], stopMs: [1_000, 2_500] },
    warmUpS: 2,
    shortAllowances: { coordinator: START, agents: START, hosts: START },
    mixAllowances: { coordinator: START, agents: START, hosts: START },
    longRest: false,
    replay: `REGATTA_SEED=${seed} npm test test/soak/soak.test.ts`,
    say,
  };
}
