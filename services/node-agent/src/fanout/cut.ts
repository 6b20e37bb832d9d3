/** Outcomes in pieces that fit into a message, and what becomes of a result that fits into none. */
import { pack, slicePack, unpack } from '@regatta/workloads';
import { type Failure, NO_TIMING, type Outcome, type Timing } from '../hosts/work.ts';

/** About what an outcome, a task and a failure take beside their payloads and texts. */
const OUTCOME_BYTES = 256;
const TASK_BYTES = 16;
const FAILURE_BYTES = 128;
/** Of UTF-8, for a character of a message. */
const CHARACTER_BYTES = 3;
const MEBIBYTE = 2 ** 20;

/** At most what it takes on the wire. */
export function sizeOf({ results, timing, failures, end }: Outcome): number {
  let bytes = OUTCOME_BYTES + results.byteLength + timing.wallUs.byteLength + timing.cpuUs.byteLength;
  for (const failure of failures) bytes += sizeOfFailure(failure);
  if (end.kind === 'lost') bytes += CHARACTER_BYTES * (end.loss.message.length + end.loss.stderrTail.length);
  return bytes;
}

const sizeOfFailure = ({ code, message, stack }: Failure): number =>
  FAILURE_BYTES + CHARACTER_BYTES * (code.length + message.length + stack.length);

/**
 * @returns the same news in order, none larger than `bytesMax`; figures that are no task's own come with the last
 */
export function cutOutcome(outcome: Outcome, bytesMax: number): Outcome[] {
  if (sizeOf(outcome) <= bytesMax) return [outcome];
  const fitting = withoutTooLarge(outcome, bytesMax);
  const bounds = boundsOf(fitting, bytesMax);
  return bounds.slice(1).map((to, i) => pieceOf(fitting, bounds[i]!, to));
}

/** Results that no message can hold become failures, which say so. */
function withoutTooLarge(outcome: Outcome, bytesMax: number): Outcome {
  const resultBytesMax = bytesMax - OUTCOME_BYTES - TASK_BYTES - lossBytes(outcome);
  const entries = unpack(outcome.results);
  if (entries.every(({ byteLength }) => byteLength <= resultBytesMax)) return outcome;
  const failures = new Map(outcome.failures.map((failure) => [failure.task, failure]));
  const kept = entries.map((entry, i) => {
    if (entry.byteLength <= resultBytesMax) return entry;
    const task = outcome.from + i;
    const message =
      `its result is ${inMebibytes(entry.byteLength)}, more than the ${inMebibytes(resultBytesMax)} ` +
      'that a message on NATS may have (max_payload); use --transport grpc';
    failures.set(task, { task, code: 'RESULT_TOO_LARGE', message, stack: '', retryAfterMs: 0 });
    return new Uint8Array(0);
  });
  const inOrder = [...failures.values()].sort((a, b) => a.task - b.task);
  return { ...outcome, results: pack(kept), failures: inOrder };
}

/** Where pieces begin and end. */
function boundsOf(outcome: Outcome, bytesMax: number): number[] {
  const { from, to, results, failures } = outcome;
  const failureBytes = new Map(failures.map((failure) => [failure.task, sizeOfFailure(failure)]));
  const entries = unpack(results);
  const bounds = [from];
  const empty = OUTCOME_BYTES + lossBytes(outcome);
  let bytes = empty;
  for (let task = from; task < to; task++) {
    const more = TASK_BYTES + entries[task - from]!.byteLength + (failureBytes.get(task) ?? 0);
    if (bytes + more > bytesMax && task > bounds.at(-1)!) {
      bounds.push(task);
      bytes = empty;
    }
    bytes += more;
  }
  bounds.push(to);
  return bounds;
}

/** The last piece has it; any may be the last. */
const lossBytes = ({ end }: Outcome): number =>
  end.kind === 'lost' ? CHARACTER_BYTES * (end.loss.message.length + end.loss.stderrTail.length) : 0;

function pieceOf(outcome: Outcome, from: number, to: number): Outcome {
  const isLast = to === outcome.to;
  const [start, end] = [from - outcome.from, to - outcome.from];
  const { timing } = outcome;
  const wallUs = timing.wallUs.subarray(start, end);
  const cpuUs = timing.cpuUs.subarray(start, end);
  return {
    ...outcome,
    from,
    to,
    results: slicePack(outcome.results, start, end),
    failures: outcome.failures.filter(({ task }) => task >= from && task < to),
    timing: isLast ? { ...timing, wallUs, cpuUs } : { ...noSums(timing), wallUs, cpuUs },
    end: isLast ? outcome.end : { kind: 'open' },
  };
}

/** Sums are told once; what is as of now is told with each piece. */
const noSums = ({ host, hostRssBytes, stallMs, throttledMs }: Timing): Timing => ({
  ...NO_TIMING,
  host,
  hostRssBytes,
  stallMs,
  throttledMs,
});

const inMebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(2)} MiB`;
