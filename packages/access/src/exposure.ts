/**
 * What may be open to other hosts: what asks for a token or for credentials, or what a person has called insecure.
 * Both checks open nothing; what they return is a warning to be said loudly, at the start and in the status.
 */
import { RegattaError } from '@regatta/kernel';
import { isBeyondLoopback } from './loopback.ts';

/** What listens, and with which options. */
export type Door = keyof typeof DOORS;

const DOORS = {
  grpc: { listen: '--listen', token: '--token-file FILE', risk: 'join, submit runs and read results' },
  metrics: { listen: '--metrics', token: '--token-file FILE or --metrics-token-file FILE', risk: 'read the metrics' },
} as const;

/**
 * @param address HOST:PORT to listen on
 * @returns what to warn of, where it is open to all and was called insecure
 * @throws RegattaError INSECURE_LISTEN in one line, where it would be open to all and was not
 */
export function checkListen(listening: {
  readonly address: string;
  readonly hasToken: boolean;
  readonly insecure: boolean;
  readonly what: Door;
}): string | undefined {
  const { address, hasToken, insecure, what } = listening;
  if (hasToken || !isBeyondLoopback(address)) return undefined;
  const { listen, token, risk } = DOORS[what];
  const open = `${listen} ${address} is open to other hosts and asks for no token`;
  if (insecure) return `INSECURE: ${open}: whoever reaches it can ${risk}`;
  const mend = `give ${token}, listen on 127.0.0.1, or say --insecure`;
  throw new RegattaError('INSECURE_LISTEN', `${open}: ${mend}`);
}

/**
 * @param servers HOST:PORT each, with or without a scheme
 * @returns what to warn of, where one needs no credentials and was called insecure
 * @throws RegattaError INSECURE_NATS in one line, where it was not
 */
export function checkNats(nats: {
  readonly servers: readonly string[];
  readonly hasCredentials: boolean;
  readonly insecure: boolean;
}): string | undefined {
  const { servers, hasCredentials, insecure } = nats;
  const far = servers.filter((server) => isBeyondLoopback(server.replace(/^\w+:\/\//, '')));
  if (hasCredentials || far.length === 0) return undefined;
  const open = `NATS at ${far.join(', ')} is on another host and is given no credentials`;
  if (insecure) return `INSECURE: ${open}: whoever reaches it can read and forge what goes through it`;
  const mend = 'give --nats-user and --nats-password-file, or --nats-token-file, or say --insecure';
  throw new RegattaError('INSECURE_NATS', `${open}: ${mend}`);
}
