/** A run that comes with its tasks' inputs: the run first, then the inputs in task order, then the end of the stream. */
import { RegattaError } from '@regatta/kernel';
import type { Engine } from '../engine/engine.ts';
import { limits } from '../engine/limits.ts';
import type { RunInputs } from '../engine/run-inputs.ts';
import type { RunRequest } from '../engine/run-record.ts';

/** `inputs`: a pack of those of the next tasks. */
export type UploadFrame =
  | { readonly kind: 'run'; readonly request: RunRequest }
  | { readonly kind: 'inputs'; readonly pack: Uint8Array }
  | { readonly kind: 'unknown' };

export interface UploadSource {
  readonly frames: AsyncIterable<UploadFrame>;
  /** Whether the client went away instead of coming to an end. */
  readonly gone: () => boolean;
  /** Ends the frames; nothing more is awaited. */
  readonly giveUp: () => void;
}

export class Uploads {
  readonly #engine: () => Engine;
  #going = 0;

  /** @param engine the one that leads. @throws RegattaError NOT_LEADING */
  constructor(engine: () => Engine) {
    this.#engine = engine;
  }

  /** @returns the run's id. @throws RegattaError in one line; then nothing of it is kept */
  async receive(source: UploadSource): Promise<string> {
    const engine = this.#engine();
    if (this.#going >= limits.uploadsMax) {
      throw new RegattaError('TOO_MANY_UPLOADS', `${limits.uploadsMax} clients send inputs already; try again later`);
    }
    this.#going++;
    let silent = false;
    const silence = setTimeout(() => {
      silent = true;
      source.giveUp();
    }, limits.uploadSilenceMs);
    let inputs: RunInputs | undefined;
    let submitted = false;
    try {
      let request: RunRequest | undefined;
      for await (const frame of source.frames) {
        silence.refresh();
        if (request === undefined || inputs === undefined) {
          if (frame.kind !== 'run') throw bad('the first message must be the run');
          request = frame.request;
          inputs = engine.receiveInputs(request);
        } else {
          if (frame.kind !== 'inputs') throw bad('after the run all messages must be inputs');
          inputs.add(frame.pack, request.tasks);
        }
      }
      if (silent) throw bad(`nothing came for ${limits.uploadSilenceMs} ms`);
      if (source.gone()) throw bad('the client went away before the last of its inputs');
      if (request === undefined || inputs === undefined) throw bad('it ended before it began');
      const runId = await engine.submitSafely(request, inputs);
      submitted = true;
      return runId;
    } finally {
      this.#going--;
      clearTimeout(silence);
      if (!submitted) inputs?.drop();
    }
  }
}

const bad = (message: string): RegattaError => new RegattaError('BAD_INPUTS', `inputs: ${message}`);
