/**
 * The gRPC server's door: who may call what. A call without the right token ends when its headers are here: nothing that
 * it sends is read or kept.
 *
 * - G1: health answers everybody, and tells nothing else; all other services want the token, reflection too.
 * - G2: how an answer differs, and how long it takes, tells nothing of how much of a guess was right.
 */
import {
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js';
import { judge } from '@regatta/access';
import type { Refusals, Refused } from './refusals.ts';

/** G1. */
const OPEN = '/grpc.health.v1.Health/';
const HEADER = 'authorization';

/** Clients and nodes show them as they are. */
const WORDS = {
  missing: 'this coordinator wants a token, and was given none; give it by --token-file FILE or REGATTA_TOKEN',
  wrong:
    'this coordinator does not take the token that it was given; give its own by --token-file FILE or REGATTA_TOKEN',
} as const satisfies Record<Refused, string>;

/** @param token that calls must carry as `authorization: Bearer TOKEN` */
export const guard =
  (token: string, refusals: Pick<Refusals, 'note'>): ServerInterceptor =>
  ({ path }, call) => {
    if (path.startsWith(OPEN)) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const verdict = judge(metadata.get(HEADER)[0]?.toString(), token);
        // What is not passed on cannot be told by mistake.
        metadata.remove(HEADER);
        if (verdict === 'accepted') return next(metadata);
        refusals.note(verdict, call.getPeer());
        call.sendStatus({ code: status.UNAUTHENTICATED, details: WORDS[verdict] });
      })
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };

/** What the server shows of itself. The one place where TLS will begin at this end. */
export const serverCredentials = (): ServerCredentials => ServerCredentials.createInsecure();
