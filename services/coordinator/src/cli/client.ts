/**
 * The coordinator, as the CLI calls it: the one that leads, of those that are known. What leaves is a RegattaError in one
 * line.
 *
 * - C1: a run is submitted at most once: not again where the first coordinator may have taken it.
 * - C2: a run that outlives its coordinator is followed on with the next one; each of its results is told once.
 */
import { once } from 'node:events';
import {
  type ClientReadableStream,
  type ClientWritableStream,
  logVerbosity,
  Metadata,
  type ServiceError,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { RegattaError } from '@regatta/kernel';
import type { ControlServiceClient, SubmitRunWithInputsRequest } from '@regatta/proto/control';
import type { RunState } from '@regatta/scheduler';
import { packCount } from '@regatta/workloads';
import { explainError, Unanswered } from './call-errors.ts';
import { dial } from './channel.ts';
import {
  coordinatorViewOf,
  descriptionViewOf,
  nodeViewOf,
  runStateOf,
  runViewOf,
  wireSpecOf,
  workloadViewOf,
} from './codec.ts';
import { packInputs } from './inputs.ts';
import { LeaderSearch, type Manner } from './leader-search.ts';
import { limits as cliLimits } from './limits.ts';
import { aside } from './output.ts';
import type {
  CoordinatorView,
  DescriptionView,
  NodeView,
  ReasonView,
  ReplayView,
  ResultPart,
  RunSpec,
  RunView,
  WorkloadView,
} from './views.ts';

export interface ClientOptions {
  /** Goes with each call; undefined for none. */
  readonly token?: string | undefined;
  /** There will be no other coordinator: when it goes away it is not waited for one. */
  readonly alone?: boolean;
  /** Told in a line what people should know while they wait. */
  readonly say?: (line: string) => void;
}

export class Client {
  readonly #search: LeaderSearch<ControlServiceClient>;
  readonly #alone: boolean;
  readonly #say: (line: string) => void;
  /** Whether runs outlive the coordinator that has them; undefined until one has said. */
  #durable: boolean | undefined;

  /** Connects at the first call. @param addresses HOST:PORT, of one cluster */
  constructor(addresses: string | readonly string[], { token, alone = false, say = aside }: ClientOptions = {}) {
    // Errors are told by us, in one line.
    setLogVerbosity(logVerbosity.NONE);
    const known = typeof addresses === 'string' ? [addresses] : addresses;
    this.#search = new LeaderSearch(known, (address) => dial(address, token), say);
    this.#alone = alone;
    this.#say = say;
  }

  /** Of the coordinator that answered last. */
  get address(): string {
    return this.#search.address;
  }

  async submit(spec: RunSpec, abort?: AbortSignal): Promise<string> {
    const request = { spec: wireSpecOf(spec) };
    const call = (stub: ControlServiceClient, address: string) => unary(stub, address, 'submitRun', request);
    return (await this.#atMostOnce(call, abort)).runId;
  }

  /**
   * A run whose tasks have inputs: read as fast as the coordinator takes them, never all at once.
   * Aborted before the last of its inputs is sent, it is no run: the coordinator forgets what it has of it.
   * @param inputs asked for anew where they have to be sent to another coordinator
   * @param onSent told how many inputs the connection has taken so far
   * @throws RegattaError INPUT_TOO_LARGE that names the task, REFUSED, UNREACHABLE; the signal's reason
   */
  submitWithInputs(
    spec: RunSpec,
    inputs: () => Iterable<unknown>,
    abort?: AbortSignal,
    onSent: (inputs: number) => void = () => {},
  ): Promise<string> {
    return this.#atMostOnce((stub, address) => upload(stub, address, spec, inputs(), abort, onSent), abort);
  }

  async drain(nodeId: string, handBack: boolean): Promise<NodeView> {
    return nodeViewOf((await this.#unary('drainNode', { nodeId, handBack })).node!);
  }

  async resume(nodeId: string): Promise<NodeView> {
    return nodeViewOf((await this.#unary('resumeNode', { nodeId })).node!);
  }

  async status(): Promise<CoordinatorView> {
    const status = coordinatorViewOf(await this.#unary('getStatus', {}));
    this.#durable = status.journal;
    return status;
  }

  async run(runId: string): Promise<RunView> {
    return runViewOf((await this.#unary('getRun', { runId }, this.#patience)).run!);
  }

  async runs(limit: number): Promise<RunView[]> {
    return (await this.#unary('listRuns', { limit })).runs.map(runViewOf);
  }

  async cancel(runId: string, reason: string): Promise<boolean> {
    return (await this.#unary('cancelRun', { runId, reason }, this.#patience)).cancelling;
  }

  async nodes(): Promise<NodeView[]> {
    return (await this.#unary('listNodes', {})).nodes.map(nodeViewOf).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async workloads(): Promise<WorkloadView[]> {
    return (await this.#unary('listWorkloads', {})).workloads.map(workloadViewOf);
  }

  async explain(runId: string): Promise<{ state: RunState; reasons: ReasonView[] }> {
    const { state, reasons } = await this.#unary('explainRun', { runId });
    return { state: runStateOf(state), reasons };
  }

  /** Lives the run's recorded events again, which may take long. @throws RegattaError REFUSED where there are none */
  async replay(runId: string): Promise<ReplayView> {
    // Whoever never answers is found out by this.
    await this.run(runId);
    return this.#search.ask((stub, address) => unary(stub, address, 'replayRun', { runId }, cliLimits.replayMsMax));
  }

  // A stream has no deadline. So streams begin with a call that has one: whoever never answers is found out by it.

  /** The run now, then as it changes, until it has ended (C2). */
  async *watch(runId: string): AsyncIterable<RunView> {
    for await (const { run, durable } of this.#follow(runId, (stub) => stub.watchRun({ runId }))) {
      this.#durable = durable;
      yield runViewOf(run!);
    }
  }

  /** Results as they are committed, until the run has ended; parts in any order, each once (C2). */
  async *results(runId: string): AsyncIterable<ResultPart> {
    if (this.#durable === undefined) await this.status();
    const told = new Set<number>();
    for await (const { parts } of this.#follow(runId, (stub) => stub.streamResults({ runId }))) {
      for (const part of parts) {
        if (told.has(part.from)) continue;
        told.add(part.from);
        yield part;
      }
    }
  }

  close(): void {
    this.#search.close();
  }

  /** Whether another coordinator will go on with what this one does. */
  get #outlives(): boolean {
    return this.#durable === true && !this.#alone;
  }

  get #patience(): Manner {
    return this.#outlives ? { successorMs: cliLimits.successorMsMax } : {};
  }

  #unary<M extends UnaryMethod>(method: M, request: RequestOf<M>, manner?: Manner): Promise<ResponseOf<M>> {
    return this.#search.ask((stub, address) => unary(stub, address, method, request), manner);
  }

  /** C1. */
  async #atMostOnce<T>(call: Call<T>, abort: AbortSignal | undefined): Promise<T> {
    try {
      return await this.#search.ask(call, { once: true, abort });
    } catch (thrown) {
      if (!(thrown instanceof Unanswered) || thrown.lack === 'failed' || thrown.untouched) throw thrown;
      const { address, why } = thrown;
      const message = `${address}: ${why}; whether it took the run is not known: look at regatta runs before you submit it again`;
      throw new RegattaError('UNREACHABLE', message);
    }
  }

  /** C2: a stream's messages, and on with those of another where it breaks. */
  async *#follow<T>(runId: string, open: (stub: ControlServiceClient) => ClientReadableStream<T>): AsyncIterable<T> {
    await this.run(runId);
    for (;;) {
      try {
        yield* messagesOf(open(this.#search.stub), this.address);
        return;
      } catch (thrown) {
        if (!this.#outlives || !(thrown instanceof Unanswered) || thrown.lack === 'failed') throw thrown;
        this.#say('the coordinator went away; looking for the one that takes over …');
      }
      await this.#unary('getRun', { runId }, { ...this.#patience, quiet: true });
    }
  }
}

/**
 * What the coordinator at this very address says of itself, whoever leads.
 * @param answerMsMax for which its answer is awaited
 * @throws RegattaError TOKEN_REFUSED, UNREACHABLE
 */
export async function describeCoordinator(
  address: string,
  token: string | undefined,
  answerMsMax: number,
): Promise<DescriptionView> {
  setLogVerbosity(logVerbosity.NONE);
  const stub = dial(address, token);
  try {
    return descriptionViewOf(await unary(stub, address, 'describeCoordinator', {}, answerMsMax));
  } finally {
    stub.close();
  }
}

type Call<T> = (stub: ControlServiceClient, address: string) => Promise<T>;

function unary<M extends UnaryMethod>(
  stub: ControlServiceClient,
  address: string,
  method: M,
  request: RequestOf<M>,
  answerMsMax = cliLimits.answerMsMax,
): Promise<ResponseOf<M>> {
  return new Promise((resolve, reject) => {
    const call = stub[method].bind(stub) as unknown as UnaryCall<M>;
    call(request, new Metadata(), { deadline: Date.now() + answerMsMax }, (error, response) => {
      if (error === null) resolve(response);
      else reject(explainError(error, address, answerMsMax));
    });
  });
}

async function* messagesOf<T>(stream: ClientReadableStream<T>, address: string): AsyncIterable<T> {
  try {
    for await (const message of stream) yield message as T;
  } catch (thrown) {
    throw explainError(thrown as ServiceError, address);
  } finally {
    stream.cancel();
  }
}

function upload(
  stub: ControlServiceClient,
  address: string,
  spec: RunSpec,
  inputs: Iterable<unknown>,
  abort: AbortSignal | undefined,
  onSent: (inputs: number) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let complete = false;
    const call = stub.submitRunWithInputs((error, response) => {
      if (error === null) return resolve(response.runId);
      reject(explainError(error, address, cliLimits.answerMsMax, complete));
      // The rest is not made any more.
      call.destroy();
    });
    const fail = (thrown: unknown): void => {
      reject(thrown);
      call.cancel();
    };
    // A failed call is told by its callback.
    call.on('error', () => {});
    const onAbort = (): void => fail(abort?.reason);
    abort?.addEventListener('abort', onAbort, { once: true });
    if (abort?.aborted) return onAbort();
    const onLast = (): void => {
      complete = true;
    };
    const sent = sendInputs(call, spec, inputs, onSent, onLast).catch(fail);
    void sent.finally(() => abort?.removeEventListener('abort', onAbort));
  });
}

async function sendInputs(
  call: ClientWritableStream<SubmitRunWithInputsRequest>,
  spec: RunSpec,
  inputs: Iterable<unknown>,
  onSent: (inputs: number) => void,
  onLast: () => void,
): Promise<void> {
  const closed = once(call, 'close');
  const send = async (frame: SubmitRunWithInputsRequest['frame']): Promise<void> => {
    if (!call.write({ frame })) await Promise.race([once(call, 'drain'), closed]);
  };
  await send({ $case: 'spec', value: wireSpecOf(spec) });
  let sent = 0;
  for (const value of packInputs(inputs)) {
    if (call.destroyed) return;
    await send({ $case: 'inputs', value });
    sent += packCount(value);
    onSent(sent);
  }
  onLast();
  call.end();
}

type UnaryMethod =
  | 'submitRun'
  | 'getRun'
  | 'listRuns'
  | 'cancelRun'
  | 'listNodes'
  | 'listWorkloads'
  | 'explainRun'
  | 'drainNode'
  | 'resumeNode'
  | 'getStatus'
  | 'describeCoordinator'
  | 'replayRun';
type RequestOf<M extends UnaryMethod> = Parameters<ControlServiceClient[M]>[0];
type ResponseOf<M extends UnaryMethod> =
  Parameters<ControlServiceClient[M]> extends [...unknown[], (error: never, response: infer R) => void] ? R : never;
type UnaryCall<M extends UnaryMethod> = (
  request: RequestOf<M>,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: ResponseOf<M>) => void,
) => void;
