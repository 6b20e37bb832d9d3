/** A run that comes with its tasks' inputs: the run first, then the inputs in task order, then the end of the stream. */
import type { ServerReadableStream } from '@grpc/grpc-js';
import { RegattaError } from '@regatta/kernel';
import type { SubmitRunWithInputsRequest, SubmitRunWithInputsResponse } from '@regatta/proto/control';
import type { Engine } from '../engine/engine.ts';
import { limits } from '../engine/limits.ts';
import type { RunInputs } from '../engine/run-inputs.ts';
import type { RunRequest } from '../engine/run-record.ts';
import { requestOf } from './codec.ts';

type Stream = ServerReadableStream<SubmitRunWithInputsRequest, SubmitRunWithInputsResponse>;

export class Uploads {
  readonly #engine: Engine;
  #going = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @returns the run's id. @throws RegattaError in one line; then nothing of it is kept */
  async receive(stream: Stream): Promise<string> {
    if (this.#going >= limits.uploadsMax) {
      throw new RegattaError('TOO_MANY_UPLOADS', `${limits.uploadsMax} clients send inputs already; try again later`);
    }
    this.#going++;
    const silence = new Silence(stream);
    let inputs: RunInputs | undefined;
    let submitted = false;
    try {
      let request: RunRequest | undefined;
      for await (const { frame } of stream as AsyncIterable<SubmitRunWithInputsRequest>) {
        silence.broken();
        if (request === undefined || inputs === undefined) {
          if (frame?.$case !== 'spec') throw bad('the first message must be the run');
          request = requestOf(frame.value);
          inputs = this.#engine.receiveInputs(request);
        } else {
          if (frame?.$case !== 'inputs') throw bad('after the run all messages must be inputs');
          inputs.add(frame.value, request.tasks);
        }
      }
      if (silence.tooLong) throw bad(`nothing came for ${limits.uploadSilenceMs} ms`);
      if (stream.cancelled) throw bad('the client went away before the last of its inputs');
      if (request === undefined || inputs === undefined) throw bad('it ended before it began');
      const runId = this.#engine.submit(request, inputs);
      submitted = true;
      return runId;
    } finally {
      this.#going--;
      silence.end();
      if (!submitted) inputs?.drop();
    }
  }
}

/** Ends a stream over which nothing comes. */
class Silence {
  tooLong = false;
  readonly #timer: NodeJS.Timeout;

  constructor(stream: Stream) {
    this.#timer = setTimeout(() => {
      this.tooLong = true;
      stream.push(null);
    }, limits.uploadSilenceMs);
  }

  broken(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

const bad = (message: string): RegattaError => new RegattaError('BAD_INPUTS', `inputs: ${message}`);
