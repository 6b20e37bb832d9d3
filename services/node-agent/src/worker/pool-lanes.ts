/**
 * Lanes in the threads of a Piscina pool. One pool call a chunk; threads tell their news over the channel that each
 * has for its life, and hear of cancellations, which are rare, all together.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { BroadcastChannel, type MessagePort } from 'node:worker_threads';
import { messageOf } from '@regatta/kernel';
import { Piscina } from 'piscina';
import type { Lanes, Outlet } from './lanes.ts';
import { bareNews, type FromThread, type PermitWord } from './messages.ts';
import { NOTES, type Note, type ThreadOrder } from './thread-main.ts';

interface OpenChunk {
  reported: number;
  readonly ended: PromiseWithResolvers<void>;
}

/**
 * @param threads started at once and kept: what a run measures is not their start
 * @param sayPermit told what threads say of permits
 */
export function poolLanes(
  threads: number,
  concurrency: number,
  { emit, emitLate, abandoned }: Outlet,
  sayPermit: (word: PermitWord) => void,
): Lanes {
  const pool = new Piscina({
    filename: new URL('./thread-main.ts', import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: concurrency,
    idleTimeout: Number.POSITIVE_INFINITY,
    recordTiming: false,
    // A thread that sleeps in Atomics.wait between chunks would hear neither its timers nor an order to stop.
    atomics: 'disabled',
  });
  const notes = new BroadcastChannel(NOTES);
  const note = (all: Note): void => notes.postMessage(all);
  const chunks = new Map<number, OpenChunk>();
  const stopping = new Set<number>();
  /** By thread, where it hears of permits; and which attempts have asked for one from where. */
  const ports = new Map<number, MessagePort>();
  const asking = new Map<number, MessagePort>();
  let held = false;
  pool.on('message', (message: FromThread) => {
    if (message.kind === 'late') return emitLate(message.late);
    if (message.kind === 'abandoned') return abandoned();
    if (message.kind === 'up') return welcome(message);
    if (message.kind === 'permit') return passOn(message);
    const { news } = message;
    const chunk = chunks.get(news.attemptId);
    if (chunk === undefined) return;
    chunk.reported = news.to;
    emit(news);
    if (news.end.kind !== 'open') chunk.ended.resolve();
  });
  /** What was said before a thread could hear is said again: its chunk may be waiting for it. */
  function welcome({ thread, permits }: Extract<FromThread, { kind: 'up' }>): void {
    ports.set(thread, permits);
    permits.on('close', () => ports.delete(thread));
    permits.unref();
    for (const attemptId of stopping) note({ kind: 'stop', attemptId });
    if (held) note({ kind: 'hold', on: true });
  }
  function passOn({ thread, word }: Extract<FromThread, { kind: 'permit' }>): void {
    const port = ports.get(thread);
    if (word.kind === 'done') asking.delete(word.attemptId);
    else if (port !== undefined) asking.set(word.attemptId, port);
    sayPermit(word);
  }
  const work: Lanes['work'] = async (run, shared, chunk, cancelled) => {
    const open: OpenChunk = { reported: chunk.from, ended: Promise.withResolvers() };
    chunks.set(chunk.attemptId, open);
    const onCancel = (): void => {
      stopping.add(chunk.attemptId);
      note({ kind: 'stop', attemptId: chunk.attemptId });
    };
    cancelled.addEventListener('abort', onCancel, { once: true });
    if (cancelled.aborted) onCancel();
    const givenAt = performance.timeOrigin + performance.now();
    const order: ThreadOrder = { run, shared, chunk, givenAt };
    const died = pool.run(order).then(
      () => open.ended.promise,
      // What the thread said last is heard first.
      (thrown) => turn(thrown),
    );
    const thrown: unknown = await Promise.race([open.ended.promise, died]);
    chunks.delete(chunk.attemptId);
    stopping.delete(chunk.attemptId);
    asking.delete(chunk.attemptId);
    cancelled.removeEventListener('abort', onCancel);
    if (thrown === undefined) return;
    emit(bareNews(chunk.attemptId, open.reported, { kind: 'lost', why: messageOf(thrown) }));
  };
  const hold = (on: boolean): void => {
    held = on;
    note({ kind: 'hold', on });
  };
  const permit = (attemptId: number): void => asking.get(attemptId)?.postMessage(attemptId);
  return { work, hold, permit };
}
