/** What labels may say, where that is a closed set: what boards and alerts ask for is held against it. */
import { hostEnds } from '../hosts/host.ts';

const TRANSPORTS = ['grpc', 'nats'] as const;
export const TOKEN_FAULTS = ['missing', 'wrong'] as const;
export type TokenFault = (typeof TOKEN_FAULTS)[number];

/** By metric and label. */
export const metricLabelValues: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  regatta_agent_tasks_total: { transport: TRANSPORTS, outcome: ['succeeded', 'failed'] },
  regatta_agent_chunks_total: { transport: TRANSPORTS, outcome: ['completed', 'stopped', 'lost'] },
  regatta_agent_chunks_taken_total: { transport: TRANSPORTS },
  regatta_agent_hosts: { state: ['starting', 'idle', 'busy'] },
  regatta_agent_host_ends_total: { reason: hostEnds },
};
