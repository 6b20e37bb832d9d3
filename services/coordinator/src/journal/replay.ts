/**
 * A run's recorded events, driven through a scheduler of its own: does it decide the same again (I8)? Begins with the last
 * snapshot before the run, as other runs and the nodes have their part in what was decided.
 */

import { crc32 } from 'node:zlib';
import { RegattaError } from '@regatta/kernel';
import { type Effect, Scheduler } from '@regatta/scheduler';
import { digestOf } from '../engine/digest.ts';
import type { Replay } from '../engine/record.ts';
import { entriesIn, type Snapshot, snapshotIn } from './codec.ts';
import type { JournalLog } from './log.ts';

/** @param submittedAt of the run. @throws RegattaError NOT_RECORDED where its events are no longer in the journal */
export async function replayRun(log: JournalLog, runId: string, submittedAt: number): Promise<Replay> {
  const { snapshot, oldest } = await snapshotBefore(log, submittedAt);
  const scheduler = snapshot === undefined ? new Scheduler() : Scheduler.restore(snapshot.engine.scheduler);
  const covers = snapshot?.covers ?? 0;
  let submitted = false;
  let [events, eventsBefore, effectCount, digest] = [0, 0, 0, 0];
  for await (const { sequence, body } of log.read({ kind: 'events', from: covers + 1 })) {
    if (sequence <= covers) continue;
    // What came before the oldest snapshot was removed, and its beginning with it.
    if (!submitted && snapshot === undefined && oldest !== undefined && sequence > oldest.covers) break;
    for (const entry of entriesIn(body)) {
      submitted ||= entry.event.kind === 'runSubmitted' && entry.event.plan.runId === runId;
      const effects = scheduler.step(entry.event, entry.at);
      const now = digestOf(effects);
      if (now !== entry.digest) {
        const difference = `${entry.event.kind} of ${new Date(entry.at).toISOString()}: ${shown(effects)}`;
        return { events, eventsBefore, effects: effectCount, digest, identical: false, difference, ended: false };
      }
      if (!submitted) {
        eventsBefore++;
        continue;
      }
      events++;
      effectCount += effects.length;
      digest = crc32(String(now), digest);
      if (!effects.some((effect) => effect.kind === 'runEnded' && effect.runId === runId)) continue;
      return { events, eventsBefore, effects: effectCount, digest, identical: true, difference: '', ended: true };
    }
  }
  if (!submitted) {
    const message = `the events of ${runId} are no longer in the journal: only those of newer runs are kept`;
    throw new RegattaError('NOT_RECORDED', message);
  }
  return { events, eventsBefore, effects: effectCount, digest, identical: true, difference: '', ended: false };
}

async function snapshotBefore(
  log: JournalLog,
  at: number,
): Promise<{ readonly snapshot: Snapshot | undefined; readonly oldest: Snapshot | undefined }> {
  let oldest: Snapshot | undefined;
  let snapshot: Snapshot | undefined;
  for await (const { body } of log.read({ kind: 'snapshot' })) {
    const next = snapshotIn(body);
    oldest ??= next;
    if (next.engine.at < at) snapshot = next;
  }
  return { snapshot, oldest };
}

const shown = (effects: readonly Effect[]): string => `now it has the effects ${JSON.stringify(effects).slice(0, 500)}`;
