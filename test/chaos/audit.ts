/**
 * What the coordinator that leads last knows of all that was, once everything has calmed down. It has not seen most of it
 * itself: this is what the journal kept.
 *
 * - A1: each run that somebody was told of is there, with the same counts and the same results, each once.
 * - A2: its recorded events, lived again, come to the same effects.
 */
import { messageOf, RegattaError } from '@regatta/kernel';
import type { BareCalls } from './bare-calls.ts';
import { Follower } from './follower.ts';
import type { Findings } from './user.ts';
import { verdictOfList, verdictOfRun } from './verdict.ts';

const AUDIT_MS_MAX = 30_000;

/** @returns what is wrong */
export async function audit(leader: BareCalls, addresses: readonly string[], findings: Findings): Promise<string[]> {
  const follower = new Follower(addresses, AbortSignal.timeout(AUDIT_MS_MAX));
  try {
    await endUntold(follower, findings.acknowledged);
    const told = { ...findings, ended: findings.seen.map(({ run }) => run) };
    const wrong = verdictOfList(told, await follower.runs());
    let replays = 0;
    for (const seen of findings.seen) {
      const { runId } = seen.run;
      const read = await leader.results(runId);
      wrong.push(...verdictOfRun({ ...seen, ...read }).wrong.map((line) => `in the end: ${line}`));
      const difference = await replayed(follower, runId);
      if (difference !== undefined) replays++;
      if (difference) wrong.push(difference);
    }
    if (replays === 0) wrong.push('no run could be replayed: the journal has the events of none');
    return wrong;
  } finally {
    follower.close();
  }
}

/** Nobody else would. */
async function endUntold(follower: Follower, acknowledged: readonly string[]): Promise<void> {
  const untold = (await follower.runs()).filter(({ runId }) => !acknowledged.includes(runId));
  for (const { runId } of untold) {
    await follower.cancel(runId);
    await follower.ended(runId, () => {});
  }
}

/** A2. @returns what is wrong, empty for nothing; undefined where it is too long ago: no events are kept of that */
async function replayed(follower: Follower, runId: string): Promise<string | undefined> {
  try {
    const { identical, ended, difference } = await follower.replay(runId);
    if (identical && ended) return '';
    return `${runId}, replayed, ${identical ? 'does not end' : `differs: ${difference}`}`;
  } catch (thrown) {
    if (thrown instanceof RegattaError && /no longer in the journal/.test(messageOf(thrown))) return undefined;
    throw thrown;
  }
}
