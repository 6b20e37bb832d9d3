/** Why a connection to a coordinator ended, in a line for people. */
import { type ServiceError, status } from '@grpc/grpc-js';

/** @param error undefined where the coordinator just closed it */
export function explainEnd(address: string, error: ServiceError | undefined): string {
  if (error === undefined) return `${address} closed the link; trying again`;
  switch (error.code) {
    case status.UNAVAILABLE:
      return `cannot reach a coordinator at ${address} (${reasonIn(error.details)}); trying again`;
    case status.UNAUTHENTICATED:
      return `${address}: ${error.details}; trying again`;
    case status.UNIMPLEMENTED:
      return `${address} is a gRPC server but no Regatta coordinator; check --coordinator; trying again`;
    case status.CANCELLED:
      return `${address} fell silent; trying again`;
    default:
      return `the link to ${address} broke: ${error.details || error.message}; trying again`;
  }
}

/** gRPC's words without its own circumstances, and without the time of day: each try would be news. */
const reasonIn = (details: string): string =>
  (/Last error: (?:Error: )?(.*?)\. Resolution note/.exec(details)?.[1] ?? details).replace(
    / \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/,
    '',
  );
