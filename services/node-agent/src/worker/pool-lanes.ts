/** Lanes in the threads of a Piscina pool. One pool call a chunk; news comes over a port of the chunk's own. */
import { MessageChannel } from 'node:worker_threads';
import { messageOf } from '@regatta/kernel';
import { Piscina } from 'piscina';
import type { Lanes, Outlet } from './lanes.ts';
import { bareNews, type HostNews } from './messages.ts';
import type { ThreadOrder } from './thread-main.ts';

/** @param threads started at once and kept: what a run measures is not their start */
export function poolLanes(threads: number, concurrency: number, emit: Outlet['emit']): Lanes {
  const pool = new Piscina({
    filename: new URL('./thread-main.ts', import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: concurrency,
    idleTimeout: Number.POSITIVE_INFINITY,
    recordTiming: false,
  });
  return async (run, shared, chunk, cancelled) => {
    const { port1, port2 } = new MessageChannel();
    const done = Promise.withResolvers<void>();
    let reported = chunk.from;
    let ended = false;
    port1.on('message', (news: HostNews) => {
      reported = news.to;
      ended = news.end.kind !== 'open';
      emit(news);
      if (ended) done.resolve();
    });
    const onCancel = (): void => port1.postMessage('stop');
    cancelled.addEventListener('abort', onCancel, { once: true });
    const order: ThreadOrder = { run, shared, chunk, givenAt: performance.timeOrigin + performance.now(), port: port2 };
    try {
      await pool.run(order, { transferList: [port2] });
      await done.promise;
    } catch (thrown) {
      if (!ended) emit(bareNews(chunk.attemptId, reported, { kind: 'lost', why: messageOf(thrown) }));
    } finally {
      cancelled.removeEventListener('abort', onCancel);
      port1.close();
    }
  };
}
