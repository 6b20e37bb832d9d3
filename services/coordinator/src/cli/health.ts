/** The standard health service of gRPC, asked by hand: one question without a word, one number for an answer. */
import { Metadata } from '@grpc/grpc-js';
import { explainError } from './call-errors.ts';
import { dial } from './channel.ts';

/** Field 1 of the answer, SERVING. */
const SERVING = Buffer.from([8, 1]);

/** Whether the server at this address says that it serves; it is asked without a token. @throws RegattaError UNREACHABLE */
export function isServing(address: string, answerMsMax: number): Promise<boolean> {
  const stub = dial(address, undefined);
  const asked = new Promise<boolean>((resolve, reject) => {
    stub.makeUnaryRequest<null, Buffer>(
      '/grpc.health.v1.Health/Check',
      () => Buffer.alloc(0),
      (bytes) => bytes,
      null,
      new Metadata(),
      { deadline: Date.now() + answerMsMax },
      (error, answer) => {
        if (error === null) resolve(answer?.equals(SERVING) === true);
        else reject(explainError(error, address, answerMsMax));
      },
    );
  });
  return asked.finally(() => stub.close());
}
