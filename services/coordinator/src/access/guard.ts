/**
 * The gRPC server's door: who may call what. A call without the right token ends when its headers are here: nothing that
 * it sends is read or kept.
 *
 * - G1: whether it serves is told to everybody; all else wants the token: reflection, and to watch health too, which
 *   keeps a call open.
 * - G2: how an answer differs, and how long it takes, tells nothing of how much of a guess was right.
 * - G3: without the token a call may send a few bytes and last a few seconds, whether it was answered or not.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServerOptions,
  status,
} from '@grpc/grpc-js';
import { judge } from '@regatta/access';
import { limits } from '../engine/limits.ts';
import type { Connections } from './connections.ts';
import type { Refusals, Refused } from './refusals.ts';

/** G1. */
const OPEN = '/grpc.health.v1.Health/Check';
const HEADER = 'authorization';

/** Clients and nodes show them as they are. */
const WORDS = {
  missing: 'this coordinator wants a token, and was given none; give it by --token-file FILE or REGATTA_TOKEN',
  wrong:
    'this coordinator does not take the token that it was given; give its own by --token-file FILE or REGATTA_TOKEN',
} as const satisfies Record<Refused, string>;

/** @param token that calls must carry as `authorization: Bearer TOKEN` */
export const guard =
  (token: string, refusals: Pick<Refusals, 'note'>, connections: Pick<Connections, 'letIn'>): ServerInterceptor =>
  ({ path }, call) => {
    if (path === OPEN) {
      bound(call);
      return new ServerInterceptingCall(call);
    }
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const verdict = judge(metadata.get(HEADER)[0]?.toString(), token);
        // What is not passed on cannot be told by mistake.
        metadata.remove(HEADER);
        if (verdict === 'accepted') {
          connections.letIn(insideOf(call).stream.session);
          return next(metadata);
        }
        refusals.note('grpc', verdict, call.getPeer());
        bound(call);
        call.sendStatus({ code: status.UNAUTHENTICATED, details: WORDS[verdict] });
      })
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };

type Call = ConstructorParameters<typeof ServerInterceptingCall>[0];

/** What grpc-js keeps to itself: its options hold for all calls alike, and nodes send 64 MiB. */
interface Inside {
  readonly stream: ServerHttp2Stream;
  readonly decoder: { maxReadMessageLength: number };
  maxReceiveMessageSize: number;
}

const insideOf = (call: Call): Inside => call as unknown as Inside;

/** G3. */
function bound(call: Call): void {
  const inside = insideOf(call);
  inside.decoder.maxReadMessageLength = limits.openCallBytesMax;
  // Of what a few bytes may be unpacked to.
  inside.maxReceiveMessageSize = limits.openCallBytesMax;
  const { stream } = inside;
  const late = setTimeout(() => {
    // One that has its answer does not get this one.
    call.sendStatus({ code: status.DEADLINE_EXCEEDED, details: 'without a token calls may not take this long' });
    // For gRPC a call goes on until its caller says that it has sent all: some never do.
    stream.close(constants.NGHTTP2_NO_ERROR);
  }, limits.openCallMsMax).unref();
  stream.once('close', () => clearTimeout(late));
}

/** What holds for connections, with a token or without. @param idleMsMax for which one is kept that has no call */
export const connectionBounds = (idleMsMax: number = limits.connectionIdleMsMax): ServerOptions => ({
  // A peer that is cut off without a word would be served for ever.
  'grpc.keepalive_time_ms': limits.keepaliveMs,
  // After a node's lease is over: that says what is so, and this only that the link is closed.
  'grpc.keepalive_timeout_ms': 2 * limits.leaseMs,
  // So would one that does no more than answer. A node's link is a call.
  'grpc.max_connection_idle_ms': idleMsMax,
  'grpc.max_concurrent_streams': limits.callsPerConnectionMax,
});

/** What the server shows of itself. The one place where TLS will begin at this end. */
export const serverCredentials = (): ServerCredentials => ServerCredentials.createInsecure();
