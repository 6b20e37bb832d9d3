/** The gRPC service that the CLI and other clients call. Thin: each method is one question to the engine. */
import { once } from 'node:events';
import {
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { RegattaError } from '@regatta/kernel';
import type {
  ControlServiceServer,
  ResultPart,
  StreamResultsRequest,
  StreamResultsResponse,
  WatchRunRequest,
  WatchRunResponse,
} from '@regatta/proto/control';
import type { Logger } from 'pino';
import type { Coordinator } from '../coordinator.ts';
import type { Engine } from '../engine/engine.ts';
import type { NodeRecord } from '../engine/fleet.ts';
import { limits } from '../engine/limits.ts';
import type { ResultStore } from '../engine/result-store.ts';
import type { RunRecord } from '../engine/run-record.ts';
import {
  coordinatorStatusOf,
  descriptionOf,
  nodeStatusOf,
  requestOf,
  type Self,
  statusOf,
  uploadFrameOf,
  wireState,
  workloadOf,
} from './codec.ts';
import { type UploadFrame, Uploads } from './upload.ts';

export function controlService(
  coordinator: Pick<Coordinator, 'engine' | 'role' | 'leaderAddresses'>,
  self: Self,
  log: Logger,
): ControlServiceServer {
  const uploads = new Uploads(() => coordinator.engine);
  const unary =
    <Request, Response>(answer: (request: Request, engine: Engine) => Response | Promise<Response>) =>
    async (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): Promise<void> => {
      try {
        callback(null, await answer(call.request, coordinator.engine));
      } catch (thrown) {
        callback(serviceError(thrown, log));
      }
    };
  const streaming =
    <Request, Response>(serve: (call: ServerWritableStream<Request, Response>) => Promise<void>) =>
    (call: ServerWritableStream<Request, Response>): void => {
      serve(call).then(
        () => call.end(),
        // Not destroy(): gRPC sends the status by ending the stream, which a destroyed one can no longer do.
        (thrown) => call.emit('error', serviceError(thrown, log)),
      );
    };
  const view = (node: NodeRecord, engine: Engine) => nodeStatusOf(node, engine.lanes(node.introduction.nodeId));
  const describe = (run: RunRecord, engine: Engine, failuresMax: number) =>
    statusOf(run, engine.counts(run), failuresMax);
  const { failuresPerRunMax, failuresListedMax, runsListedMax } = limits;
  return {
    submitRun: unary(async ({ spec }, engine) => ({ runId: await engine.submitSafely(requestOf(spec)) })),
    submitRunWithInputs: (stream, callback) => {
      const frames = stream.map(uploadFrameOf) as AsyncIterable<UploadFrame>;
      uploads.receive({ frames, gone: () => stream.cancelled, giveUp: () => stream.push(null) }).then(
        (runId) => callback(null, { runId }),
        (thrown) => {
          callback(serviceError(thrown, log));
          // What is still on its way is not waited for.
          stream.destroy();
        },
      );
    },
    getRun: unary(({ runId }, engine) => ({ run: describe(engine.run(runId), engine, failuresPerRunMax) })),
    listRuns: unary(({ limit }, engine) => ({
      runs: engine
        .runs()
        .slice(0, Math.min(limit || runsListedMax, runsListedMax))
        .map((run) => describe(run, engine, failuresListedMax)),
    })),
    watchRun: streaming(async (call) => watch(call, coordinator.engine)),
    cancelRun: unary(async ({ runId, reason }, engine) => {
      const cancelling = engine.cancel(runId, reasonOf(reason));
      await engine.settled();
      return { cancelling };
    }),
    streamResults: streaming(async (call) => streamResults(call, coordinator.engine)),
    listNodes: unary((_, engine) => ({
      nodes: engine.nodes().map((node) => view(node, engine)),
    })),
    listWorkloads: unary((_, engine) => ({ workloads: engine.workloads().map(workloadOf) })),
    explainRun: unary(({ runId }, engine) => ({
      state: wireState(engine.run(runId).state),
      reasons: engine.explain(runId),
    })),
    drainNode: unary(({ nodeId, handBack }, engine) => ({ node: view(engine.roster.drain(nodeId, handBack), engine) })),
    resumeNode: unary(({ nodeId }, engine) => ({ node: view(engine.roster.resume(nodeId), engine) })),
    replayRun: unary(({ runId }, engine) => engine.replay(engine.run(runId).id)),
    getStatus: unary((_, engine) => coordinatorStatusOf(engine, self)),
    // Of this process, whoever leads: it has no engine to ask.
    describeCoordinator: (_, callback) => callback(null, descriptionOf(coordinator, self)),
  };
}

/** It is kept with the run and told in every list of runs. A copy, so that it does not keep the whole alive. */
const reasonOf = (reason: string): string =>
  Buffer.from(reason.slice(0, limits.reasonCharactersMax)).toString() || 'cancelled';

/** The run's state now, then after changes, at most once in `watchIntervalMs`, at once when it ends. */
async function watch(call: ServerWritableStream<WatchRunRequest, WatchRunResponse>, engine: Engine): Promise<void> {
  const run = engine.run(call.request.runId);
  const gone = goneSignal(call, engine);
  while (!gone.aborted) {
    // Failures are told once, with the end.
    const failuresMax = run.ended ? limits.failuresPerRunMax : 0;
    await write(call, { run: statusOf(run, engine.counts(run), failuresMax), durable: engine.durable }, gone);
    if (run.ended) return;
    await nextChange(run, gone, limits.watchIntervalMs);
  }
  sayIfOver(engine);
}

async function streamResults(
  call: ServerWritableStream<StreamResultsRequest, StreamResultsResponse>,
  engine: Engine,
): Promise<void> {
  const run = engine.run(call.request.runId);
  const results = await engine.resultsOf(run.id);
  const gone = goneSignal(call, engine);
  let place = 0;
  let writtenAt = Number.NEGATIVE_INFINITY;
  while (!gone.aborted) {
    const { parts, next } = readParts(results, place);
    if (parts.length > 0) {
      place = next;
      await write(call, { parts }, gone);
      writtenAt = performance.now();
      continue;
    }
    if (results.dropped) {
      throw new RegattaError('RESULTS_DROPPED', `the results of ${run.id} were dropped to make room for newer runs`);
    }
    if (run.ended) return;
    // A message for each small chunk would cost more than the chunk.
    await nextChange(run, gone, Math.max(0, writtenAt + limits.resultsIntervalMs - performance.now()));
  }
  sayIfOver(engine);
}

/** What it has to tell is another's to tell now. @throws RegattaError NOT_LEADING */
function sayIfOver(engine: Engine): void {
  if (engine.over.aborted)
    throw new RegattaError('NOT_LEADING', 'this coordinator leads no more; ask the one that does');
}

/** What there is from a place on, up to about a frame. */
function readParts(store: ResultStore, place: number): { parts: ResultPart[]; next: number } {
  const parts: ResultPart[] = [];
  let [next, bytes] = [place, 0];
  while (bytes < limits.frameBytes) {
    const read = store.read(next);
    if (read === undefined) break;
    parts.push(read.part);
    bytes += read.next - next;
    next = read.next;
  }
  return { parts, next };
}

/** Fires when the caller is no longer there, or this coordinator leads no more. */
function goneSignal(call: ServerWritableStream<unknown, unknown>, { over }: Engine): AbortSignal {
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  return AbortSignal.any([gone.signal, over]);
}

/** Resolves after a change, but not before `leastMs` unless the run has ended or the caller is gone. */
function nextChange(run: RunRecord, gone: AbortSignal, leastMs: number): Promise<void> {
  return new Promise((resolve) => {
    let changed = false;
    let rested = leastMs === 0;
    const finish = (): void => {
      forget();
      clearTimeout(timer);
      gone.removeEventListener('abort', finish);
      resolve();
    };
    const check = (): void => {
      if (run.ended || (changed && rested)) finish();
    };
    const forget = run.onChange(() => {
      changed = true;
      check();
    });
    const timer = setTimeout(() => {
      rested = true;
      check();
    }, leastMs);
    gone.addEventListener('abort', finish);
  });
}

/** Waits while the reader is slower than we are. */
async function write<Response>(
  call: ServerWritableStream<unknown, Response>,
  response: Response,
  gone: AbortSignal,
): Promise<void> {
  if (gone.aborted || call.write(response)) return;
  await once(call, 'drain', { signal: gone }).catch(() => {});
}

const STATUS: Readonly<Record<string, status>> = {
  NO_SUCH_RUN: status.NOT_FOUND,
  NO_SUCH_NODE: status.NOT_FOUND,
  NODE_LEAVES: status.FAILED_PRECONDITION,
  BAD_INPUTS: status.INVALID_ARGUMENT,
  INPUT_TOO_LARGE: status.INVALID_ARGUMENT,
  TOO_MANY_UPLOADS: status.RESOURCE_EXHAUSTED,
  CANNOT_KEEP_INPUTS: status.INTERNAL,
  BAD_RUN: status.INVALID_ARGUMENT,
  TOO_MANY_RUNS: status.RESOURCE_EXHAUSTED,
  RESULTS_DROPPED: status.DATA_LOSS,
  NO_NATS: status.FAILED_PRECONDITION,
  NO_JOURNAL: status.FAILED_PRECONDITION,
  NOT_RECORDED: status.NOT_FOUND,
  NOT_LEADING: status.UNAVAILABLE,
  FENCED: status.UNAVAILABLE,
  JOURNAL_LOST: status.UNAVAILABLE,
  JOURNAL_CLOSED: status.UNAVAILABLE,
  BROKER_CLOSED: status.UNAVAILABLE,
  NATS_AWAY: status.FAILED_PRECONDITION,
  JOURNAL_FULL: status.RESOURCE_EXHAUSTED,
};

function serviceError(thrown: unknown, log: Logger): Partial<ServiceError> & Error {
  if (thrown instanceof RegattaError) {
    return Object.assign(new Error(thrown.message), {
      code: STATUS[thrown.code] ?? status.UNKNOWN,
      details: thrown.message,
    });
  }
  log.error(thrown);
  const details = 'the coordinator failed at this; its log says why';
  return Object.assign(new Error(details), { code: status.INTERNAL, details });
}
