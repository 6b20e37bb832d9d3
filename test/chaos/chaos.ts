/**
 * Users work with a cluster whose processes are killed, paused and started again; then all live, and what is left has
 * to end in bounded time.
 *
 * - C1: it strikes as long as there are runs to submit, and a little longer: the last ones have something to survive.
 * - C2: everything that is waited for has an end: no blow falls after `strikeMsMax`, and runs end within `settleMsMax` of
 *   the last one's end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@regatta/kernel';
import { audit } from './audit.ts';
import { blowsOf, type Pace } from './blows.ts';
import { mixOf } from './mix.ts';
import { copiesOf, faultsOf, type Report, statesOf } from './report.ts';
import { type Findings, User } from './user.ts';
import { World } from './world.ts';

export interface Options {
  readonly seed: number;
  readonly runs: number;
  /** At work at the same time. */
  readonly users: number;
  readonly pace: Pace;
  readonly strikeMsMax: number;
  readonly settleMsMax: number;
  readonly replay: string;
  readonly say: (line: string) => void;
}

const AFTER_LAST_SUBMISSION_MS = 3_000;

export async function chaos({
  seed,
  runs,
  users,
  pace,
  strikeMsMax,
  settleMsMax,
  replay,
  say,
}: Options): Promise<Report> {
  const startedAt = performance.now();
  const jobs = await mixOf(seed, runs);
  const world = await World.start();
  const findings: Findings = { acknowledged: [], seen: [], wrong: [], allowed: [], uncertain: 0 };
  const giveUp = new AbortController();
  let settledMs = Number.NaN;
  try {
    await world.whole();
    const work = Promise.all(
      Array.from({ length: users }, () => new User(world, findings, giveUp.signal, say).work(jobs)),
    );
    const isOver = (): boolean => findings.acknowledged.length >= runs;
    await strike(world, seed, pace, isOver, performance.now() + strikeMsMax, say);
    await world.calm();
    const calmAt = performance.now();
    say('all processes live; what is left has to end');
    const timer = setTimeout(() => giveUp.abort(), settleMsMax);
    await work;
    clearTimeout(timer);
    settledMs = performance.now() - calmAt;
    const leader = await world.whole();
    findings.wrong.push(...(await audit(leader, world.addresses, findings)));
  } catch (thrown) {
    findings.wrong.push(messageOf(thrown));
  }
  const terms = world.terms();
  const logs = await world.end(() => findings.wrong.length + world.wrong.length > 0);
  const wrong = [...world.wrong, ...findings.wrong];
  const ended = findings.seen.map(({ run }) => run);
  return {
    ok: wrong.length === 0,
    wrong,
    replay,
    seed,
    seconds: (performance.now() - startedAt) / 1000,
    runs: ended.length,
    states: statesOf(ended),
    tasks: ended.reduce((sum, { spec }) => sum + spec.tasks, 0),
    copies: copiesOf(ended),
    faults: faultsOf(world.falls),
    terms,
    uncertain: findings.uncertain,
    allowed: findings.allowed,
    settledMs,
    logs,
  };
}

/** C1. */
async function strike(
  world: World,
  seed: number,
  pace: Pace,
  isOver: () => boolean,
  until: number,
  say: Options['say'],
): Promise<void> {
  let overAt = Number.POSITIVE_INFINITY;
  for (const blow of blowsOf(seed, pace)) {
    await sleep(blow.afterMs);
    const now = performance.now();
    if (isOver()) overAt = Math.min(overAt, now);
    if (now > until || now > overAt + AFTER_LAST_SUBMISSION_MS) return;
    const struck = await world.strike(blow);
    say(
      `${blow.way} ${struck.join(' and ') || `${blow.target}: down already`} for ${(blow.forMs / 1000).toFixed(1)} s`,
    );
  }
}
