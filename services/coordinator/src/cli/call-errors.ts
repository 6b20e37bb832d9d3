/** Why a call came to nothing: raw gRPC errors end here, and what leaves is one line. */
import { type ServiceError, status } from '@grpc/grpc-js';
import { RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';

/**
 * - `standsBy`: a coordinator answers, but does not lead
 * - `nobody`: no coordinator is there
 * - `brokenOff`: it went away, or said nothing in time
 * - `failed`: it answers, and failed at this
 */
type Lack = 'standsBy' | 'nobody' | 'brokenOff' | 'failed';

/** The call has no answer: another coordinator may have one. */
export class Unanswered extends RegattaError<'UNREACHABLE'> {
  readonly address: string;
  readonly lack: Lack;
  /** What was wrong there, in a few words. */
  readonly why: string;
  /** Whether it certainly did not come to a coordinator that leads: then it may be sent anew, whatever it asks for. */
  readonly untouched: boolean;

  constructor(address: string, lack: Lack, why: string, message: string, untouched = false) {
    super('UNREACHABLE', message);
    this.address = address;
    this.lack = lack;
    this.why = why;
    this.untouched = untouched;
  }

  /** Where the one that leads is, as one that stands by says. */
  get leaders(): readonly string[] {
    const named = this.lack === 'standsBy' ? /the one that leads is at (.+)$/.exec(this.why)?.[1] : undefined;
    return named?.split(', ').slice(0, limits.coordinatorsMax) ?? [];
  }
}

export const MEND = 'check --coordinator, or start a cluster with regatta up';

/** As Coordinator says it of itself before anything is done. */
const STANDS_BY = /^(this coordinator stands by|no coordinator leads yet)\b/;
/** In the midst of something, of which others may go on to know. */
const DEPOSED = /^(this coordinator|another coordinator|the journal)\b/;
/** Of gRPC: the call never left. */
const NOT_SENT = /^(No connection established|Name resolution failed)/;

/**
 * @param answerMs for which its answer was awaited
 * @param begun whether all that was asked for had left: what is cut short is nothing to the coordinator
 */
export function explainError(
  error: ServiceError,
  address: string,
  answerMs: number = limits.answerMsMax,
  begun = true,
): RegattaError {
  const { code, details } = error;
  const because = firstLine(details || error.message);
  switch (code) {
    case status.NOT_FOUND:
    case status.INVALID_ARGUMENT:
    case status.RESOURCE_EXHAUSTED:
    case status.FAILED_PRECONDITION:
    case status.DATA_LOSS:
      return new RegattaError('REFUSED', details);
    case status.UNAUTHENTICATED:
      return new RegattaError('TOKEN_REFUSED', `${address}: ${because}`);
    case status.UNAVAILABLE:
      return unavailable(details, because, address, begun);
    case status.DEADLINE_EXCEEDED: {
      const why = `did not answer in ${answerMs} ms`;
      return new Unanswered(address, 'brokenOff', why, `${address} ${why}; ${MEND}`);
    }
    case status.UNIMPLEMENTED: {
      const why = 'is a gRPC server but no Regatta coordinator';
      return new Unanswered(address, 'nobody', why, `${address} ${why}; ${MEND}`, true);
    }
    default: {
      // That is how a stream ends whose server goes in good order, or whose connection breaks within a message.
      const broken = code === status.CANCELLED || /RST_STREAM|ECONNRESET|EPIPE/.test(details);
      const lack = broken ? 'brokenOff' : 'failed';
      return new Unanswered(address, lack, because, `${address} failed: ${because}`, broken && !begun);
    }
  }
}

function unavailable(details: string, because: string, address: string, begun: boolean): Unanswered {
  if (STANDS_BY.test(because)) return new Unanswered(address, 'standsBy', because, `${address}: ${because}`, true);
  if (DEPOSED.test(because)) return new Unanswered(address, 'standsBy', because, `${address}: ${because}`);
  const lack = NOT_SENT.test(details) ? 'nobody' : 'brokenOff';
  const message = `no coordinator answers at ${address} (${because}); ${MEND}`;
  return new Unanswered(address, lack, because, message, lack === 'nobody' || !begun);
}

/** gRPC's words without its own circumstances, and without the time of day that it tells some in. */
const firstLine = (text: string): string =>
  (/Last error: (?:Error: )?(.*?)\. Resolution note/.exec(text)?.[1] ?? text.split('\n')[0] ?? '')
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/, '')
    .trim();
