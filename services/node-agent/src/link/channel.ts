/** How the agent dials a coordinator: the token that goes with it, and the one place where TLS will begin at this end. */
import { credentials, Metadata } from '@grpc/grpc-js';
import type { NodeLinkServiceClient } from '@regatta/proto/node';
import { NodeLinkClient } from '@regatta/proto/services';
import { limits } from '../limits.ts';

/** Anew for each connection: one that was cut in silence would take the next stream too, and lead nowhere. */
export const dial = (address: string): NodeLinkServiceClient =>
  new NodeLinkClient(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    // What gRPC would look for in DNS besides the address: there is none, and where no name server answers that keeps
    // this process for half a minute.
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': limits.messageBytesMax,
    'grpc.max_send_message_length': limits.messageBytesMax,
    'grpc-node.flow_control_window': limits.windowBytes,
    // The wait between tries is ours: gRPC's own grows to minutes.
    'grpc.initial_reconnect_backoff_ms': limits.reconnectMsMin,
    'grpc.max_reconnect_backoff_ms': limits.reconnectMsMax,
  });

/** What a stream begins with. @param token undefined to show none */
export function showing(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
