/** How the CLI dials a coordinator: the token that goes with each call, and the one place where TLS will begin at this end. */
import { credentials, InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import type { ControlServiceClient } from '@regatta/proto/control';
import { ControlClient } from '@regatta/proto/services';
import { limits } from '../engine/limits.ts';
import { limits as cliLimits } from './limits.ts';

/** @param token undefined to show none */
export const dial = (address: string, token: string | undefined): ControlServiceClient =>
  new ControlClient(address, credentials.createInsecure(), {
    ...(token !== undefined && { interceptors: [showing(token)] }),
    // What gRPC would look for in DNS besides the address: there is none, and where no name server answers that keeps
    // this process for half a minute.
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': limits.messageBytesMax,
    'grpc-node.flow_control_window': limits.windowBytes,
    // Whoever watches a coordinator that is cut off must not wait for ever.
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': cliLimits.answerMsMax,
    // Of its own accord it would look less and less often whether a coordinator is there again.
    'grpc.initial_reconnect_backoff_ms': cliLimits.leaderLookMs,
    'grpc.max_reconnect_backoff_ms': cliLimits.leaderLookMs,
  });

const showing =
  (token: string): Interceptor =>
  (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set('authorization', `Bearer ${token}`);
        next(metadata, listener);
      },
    });
