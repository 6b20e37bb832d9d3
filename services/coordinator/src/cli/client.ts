/** The coordinator, as the CLI calls it. Raw gRPC errors end here: what leaves is a RegattaError in one line. */
import { once } from 'node:events';
import {
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  logVerbosity,
  Metadata,
  type ServiceError,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import { RegattaError } from '@regatta/kernel';
import type { ControlServiceClient, SubmitRunWithInputsRequest } from '@regatta/proto/control';
import { ControlClient } from '@regatta/proto/services';
import type { RunState } from '@regatta/scheduler';
import { packCount } from '@regatta/workloads';
import { limits } from '../engine/limits.ts';
import { coordinatorViewOf, nodeViewOf, runStateOf, runViewOf, wireSpecOf, workloadViewOf } from './codec.ts';
import { packInputs } from './inputs.ts';
import { limits as cliLimits } from './limits.ts';
import type { CoordinatorView, NodeView, ReasonView, ResultPart, RunSpec, RunView, WorkloadView } from './views.ts';

export class Client {
  readonly address: string;
  readonly #stub: ControlServiceClient;

  /** Connects at the first call. */
  constructor(address: string) {
    this.address = address;
    // Errors are told by us, in one line.
    setLogVerbosity(logVerbosity.NONE);
    this.#stub = new ControlClient(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': limits.messageBytesMax,
      'grpc-node.flow_control_window': limits.windowBytes,
      // Whoever watches a coordinator that is cut off must not wait for ever.
      'grpc.keepalive_time_ms': limits.keepaliveMs,
      'grpc.keepalive_timeout_ms': cliLimits.answerMsMax,
    });
  }

  async submit(spec: RunSpec): Promise<string> {
    return (await this.#unary('submitRun', { spec: wireSpecOf(spec) })).runId;
  }

  /**
   * A run whose tasks have inputs: read as fast as the coordinator takes them, never all at once.
   * Aborted before the last of its inputs is sent, it is no run: the coordinator forgets what it has of it.
   * @param onSent told how many inputs the connection has taken so far
   * @throws RegattaError INPUT_TOO_LARGE that names the task, REFUSED, UNREACHABLE; the signal's reason
   */
  submitWithInputs(
    spec: RunSpec,
    inputs: Iterable<unknown>,
    abort?: AbortSignal,
    onSent: (inputs: number) => void = () => {},
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = this.#stub.submitRunWithInputs((error, response) => {
        if (error === null) resolve(response.runId);
        else reject(explainError(error, this.address));
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
      const sent = sendInputs(call, spec, inputs, onSent).catch(fail);
      void sent.finally(() => abort?.removeEventListener('abort', onAbort));
    });
  }

  async drain(nodeId: string, handBack: boolean): Promise<NodeView> {
    return nodeViewOf((await this.#unary('drainNode', { nodeId, handBack })).node!);
  }

  async resume(nodeId: string): Promise<NodeView> {
    return nodeViewOf((await this.#unary('resumeNode', { nodeId })).node!);
  }

  async status(): Promise<CoordinatorView> {
    return coordinatorViewOf(await this.#unary('getStatus', {}));
  }

  async run(runId: string): Promise<RunView> {
    return runViewOf((await this.#unary('getRun', { runId })).run!);
  }

  async runs(limit: number): Promise<RunView[]> {
    return (await this.#unary('listRuns', { limit })).runs.map(runViewOf);
  }

  async cancel(runId: string, reason: string): Promise<boolean> {
    return (await this.#unary('cancelRun', { runId, reason })).cancelling;
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

  // A stream has no deadline. So streams begin with a call that has one: whoever never answers is found out by it.

  /** The run now, then as it changes, until it has ended. */
  async *watch(runId: string): AsyncIterable<RunView> {
    await this.run(runId);
    for await (const { run } of this.#stream(this.#stub.watchRun({ runId }))) yield runViewOf(run!);
  }

  /** Results as they are committed, until the run has ended; parts in any order, each once. */
  async *results(runId: string): AsyncIterable<ResultPart> {
    await this.run(runId);
    for await (const { parts } of this.#stream(this.#stub.streamResults({ runId }))) yield* parts;
  }

  close(): void {
    this.#stub.close();
  }

  #unary<M extends UnaryMethod>(method: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    return new Promise((resolve, reject) => {
      const call = this.#stub[method].bind(this.#stub) as unknown as UnaryCall<M>;
      call(request, new Metadata(), { deadline: Date.now() + cliLimits.answerMsMax }, (error, response) => {
        if (error === null) resolve(response);
        else reject(explainError(error, this.address));
      });
    });
  }

  async *#stream<T>(stream: ClientReadableStream<T>): AsyncIterable<T> {
    try {
      for await (const message of stream) yield message as T;
    } catch (thrown) {
      throw explainError(thrown as ServiceError, this.address);
    } finally {
      stream.cancel();
    }
  }
}

async function sendInputs(
  call: ClientWritableStream<SubmitRunWithInputsRequest>,
  spec: RunSpec,
  inputs: Iterable<unknown>,
  onSent: (inputs: number) => void,
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
  | 'getStatus';
type RequestOf<M extends UnaryMethod> = Parameters<ControlServiceClient[M]>[0];
type ResponseOf<M extends UnaryMethod> =
  Parameters<ControlServiceClient[M]> extends [...unknown[], (error: never, response: infer R) => void] ? R : never;
type UnaryCall<M extends UnaryMethod> = (
  request: RequestOf<M>,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: ResponseOf<M>) => void,
) => void;

function explainError(error: ServiceError, address: string): RegattaError {
  const mend = 'check --coordinator, or start a cluster with regatta up';
  switch (error.code) {
    case status.NOT_FOUND:
    case status.INVALID_ARGUMENT:
    case status.RESOURCE_EXHAUSTED:
    case status.DATA_LOSS:
      return new RegattaError('REFUSED', error.details);
    case status.UNAVAILABLE:
      return new RegattaError(
        'UNREACHABLE',
        `no coordinator answers at ${address} (${firstLine(error.details)}); ${mend}`,
      );
    case status.DEADLINE_EXCEEDED:
      return new RegattaError('UNREACHABLE', `${address} did not answer in ${cliLimits.answerMsMax} ms; ${mend}`);
    case status.UNIMPLEMENTED:
      return new RegattaError('UNREACHABLE', `${address} is a gRPC server but no Regatta coordinator; ${mend}`);
    default:
      return new RegattaError('UNREACHABLE', `${address} failed: ${firstLine(error.details || error.message)}`);
  }
}

/** gRPC's words without its own circumstances. */
const firstLine = (text: string): string =>
  (/Last error: (?:Error: )?(.*?)\. Resolution note/.exec(text)?.[1] ?? text.split('\n')[0] ?? '').trim();
