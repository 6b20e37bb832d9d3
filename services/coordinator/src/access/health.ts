/**
 * The standard health service of gRPC, for probes and balancers. What it tells does not change while this process lives,
 * so that whoever watches is told once, and nothing is kept of the names that are asked for.
 */
import { status, type UntypedServiceImplementation } from '@grpc/grpc-js';

interface Question {
  readonly request: { readonly service: string };
}
type Callback = (error: { readonly code: status; readonly details: string } | null, answer?: object) => void;

const SERVING = { status: 'SERVING' };

/** @param names of the services that serve; empty for the server as a whole */
export function healthService(names: readonly string[]): UntypedServiceImplementation {
  const served = new Set(names);
  const service = {
    check: ({ request }: Question, callback: Callback): void =>
      served.has(request.service)
        ? callback(null, SERVING)
        : callback({ code: status.NOT_FOUND, details: 'no service of that name is known here' }),
    // Open until its caller goes, also for a name that is not known: so the standard has it.
    watch: (call: Question & { write(answer: object): void }): void =>
      call.write(served.has(call.request.service) ? SERVING : { status: 'SERVICE_UNKNOWN' }),
    list: (_call: unknown, callback: Callback): void =>
      callback(null, { statuses: Object.fromEntries(names.map((name) => [name, SERVING])) }),
  };
  return service as unknown as UntypedServiceImplementation;
}
