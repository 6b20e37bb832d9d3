/**
 * A gRPC server that does nothing: it answers every submission at once, with no run behind it; it drops inputs and gives
 * results from memory. What a call to it takes is gRPC's own time. With `--child` this file is the server, in a process of its own as a coordinator is.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import {
  ControlServiceService,
  type StreamResultsRequest,
  type StreamResultsResponse,
  type SubmitRunResponse,
  type SubmitRunWithInputsRequest,
  type SubmitRunWithInputsResponse,
} from '@regatta/proto/control';
import { encodeValue, pack } from '@regatta/workloads';
import { within } from './waiting.ts';

const START_MS_MAX = 10_000;
const MESSAGE_BYTES_MAX = 67_108_864;
const RESULT_BYTES = 1_048_576;

type InputStream = ServerReadableStream<SubmitRunWithInputsRequest, SubmitRunWithInputsResponse>;
type ResultStream = ServerWritableStream<StreamResultsRequest, StreamResultsResponse>;

if (process.argv.includes('--child')) serve();

function serve(): void {
  const server = new Server({ 'grpc.max_receive_message_length': MESSAGE_BYTES_MAX });
  server.addService(ControlServiceService, {
    submitRun: (_call: unknown, callback: sendUnaryData<SubmitRunResponse>) => callback(null, { runId: 'none' }),
    submitRunWithInputs: (call: InputStream, callback: sendUnaryData<SubmitRunWithInputsResponse>) => {
      let parts = 0;
      call.on('data', () => parts++);
      // The spec is none of them.
      call.on('end', () => callback(null, { runId: String(parts - 1) }));
    },
    streamResults: (call: ResultStream) => void giveResults(call),
  });
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.send!(`127.0.0.1:${port}`);
  });
  process.once('disconnect', () => process.exit());
}

/** As many results as the run's name says, of `RESULT_BYTES` each. */
async function giveResults(call: ResultStream): Promise<void> {
  const results = pack([encodeValue(new Uint8Array(RESULT_BYTES))]);
  for (let task = 0; task < Number(call.request.runId); task++) {
    if (!call.write({ parts: [{ from: task, to: task + 1, results }] })) await once(call, 'drain');
  }
  call.end();
}

export class BareServer {
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
  }

  static async start(): Promise<BareServer> {
    const child = fork(fileURLToPath(import.meta.url), ['--child']);
    try {
      const [address] = await within(START_MS_MAX, 'the bare gRPC server', once(child, 'message'));
      return new BareServer(child, address);
    } catch (thrown) {
      child.kill();
      throw thrown;
    }
  }

  end(): void {
    this.#child.kill();
  }
}
