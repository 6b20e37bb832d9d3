/** Each coordinator by itself: whether it is reachable, and what it says of itself. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { protocol } from '@regatta/proto/version';
import { describeCoordinator } from '../cli/client.ts';
import { isServing } from '../cli/health.ts';
import type { DescriptionView } from '../cli/views.ts';
import { judgeClock } from './clocks.ts';
import { about, type Finding } from './finding.ts';
import { limits } from './limits.ts';
import { type Outcome, probe } from './probe.ts';
import { compareVersions } from './versions.ts';

export interface Described extends DescriptionView {
  /** Our clock as its answer came, and what that took. */
  readonly heardAtMs: number;
  readonly roundTripMs: number;
}

export interface CoordinatorFacts {
  readonly address: string;
  /** Whether a person named it, or only another coordinator did. */
  readonly given: boolean;
  readonly tcp: Outcome<unknown>;
  /** By the health service. */
  readonly serves: Outcome<boolean>;
  readonly itself: Outcome<Described>;
}

export async function examineCoordinator(
  address: string,
  given: boolean,
  token: string | undefined,
): Promise<CoordinatorFacts> {
  const [tcp, serves, itself] = await Promise.all([
    probe((signal) => reach(address, signal)),
    probe(() => isServing(address, limits.checkMsMax)),
    probe(() => described(address, token)),
  ]);
  return { address, given, tcp, serves, itself };
}

/** @param address HOST:PORT, IPv6 in brackets. @throws what the operating system says */
export async function reach(address: string, signal: AbortSignal): Promise<void> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const socket = connect({ host, port: Number(address.slice(colon + 1)) });
  try {
    await once(socket, 'connect', { signal });
  } finally {
    socket.destroy();
  }
}

async function described(address: string, token: string | undefined): Promise<Described> {
  const startedAt = performance.now();
  const description = await describeCoordinator(address, token, limits.checkMsMax);
  return { ...description, heardAtMs: Date.now(), roundTripMs: performance.now() - startedAt };
}

const CHECK_ADDRESS = 'start a coordinator there (regatta serve), open the port, or correct --coordinator';
const GIVE_TOKEN = "give that cluster's token: --token-file FILE, or REGATTA_TOKEN";

/** @param version of this command */
export function judgeCoordinator(facts: CoordinatorFacts, version: string): Finding[] {
  const { address, given, tcp, serves, itself } = facts;
  const name = address;
  const { warning, wrong } = about('coordinator', name);
  if (tcp.kind === 'failed') {
    const what = `cannot be reached: ${tcp.why}`;
    // Another one named it: it may be reached by those that are meant to.
    return given ? [wrong(what, CHECK_ADDRESS)] : [warning(`the one that leads ${what}`, 'run doctor where it can be')];
  }
  if (itself.kind === 'failed') return [judgeMute(facts)];
  const found = [judgeRole(name, itself.value), judgeVersion(name, itself.value.version, version)];
  if (serves.kind === 'failed') found.push(wrong(`its health cannot be asked: ${serves.why}`, 'see its log'));
  else if (!serves.value) found.push(wrong('its health service says that it does not serve', 'see its log'));
  const { nowMs, heardAtMs, roundTripMs, insecure } = itself.value;
  const offsetMs = nowMs + roundTripMs / 2 - heardAtMs;
  found.push(judgeClock({ group: 'coordinator', name: `${name} clock` }, offsetMs, roundTripMs, "this machine's"));
  return [...found, ...insecure.map((line) => judgeOpen(name, line))];
}

/** Something listens, and does not say what it is. */
function judgeMute({ address, serves, itself }: CoordinatorFacts): Finding {
  const { wrong } = about('coordinator', address);
  if (itself.kind !== 'failed') throw new Error('it has said what it is');
  if (itself.code === 'TOKEN_REFUSED') return wrong(withoutAddress(itself.why, address), GIVE_TOKEN);
  if (/is a gRPC server but no Regatta coordinator/.test(itself.why)) {
    const older = serves.kind === 'answered';
    const what = 'does not know this question: it is an older coordinator than this command, or none of Regatta';
    return wrong(
      older ? what : 'is no Regatta coordinator',
      older ? 'upgrade it, or correct --coordinator' : CHECK_ADDRESS,
    );
  }
  const what = `something listens, but no coordinator answers: ${withoutAddress(itself.why, address)}`;
  return wrong(what.replace(/; check --coordinator.*$/, ''), 'see its log, or correct --coordinator');
}

const withoutAddress = (text: string, address: string): string => text.replace(`${address}: `, '');

function judgeRole(name: string, { role, leaders, complaint }: DescriptionView): Finding {
  const { ok, warning, wrong } = about('coordinator', name);
  switch (role) {
    case 'leading':
      return ok('leads');
    case 'standing-by':
      return ok(`stands by; ${leaders.join(', ')} leads`);
    case 'uncertain':
      return warning('leads, and cannot renew its lease just now', 'look at NATS below, and at its log');
    case 'idle':
      // It was killed, and started again.
      if (/the lease is still of the process that was at this address/.test(complaint))
        return warning(complaint, 'look again in a few seconds');
      return wrong(complaint || 'no coordinator leads', 'mend what it says of NATS; its log has more');
  }
}

function judgeVersion(name: string, theirs: string, ours: string): Finding {
  const { ok, warning } = about('coordinator', `${name} version`);
  if (compareVersions(theirs, ours) !== 'other')
    return ok(theirs === ours ? theirs : `${theirs}, this command ${ours}`);
  return warning(`it is ${theirs}, this command ${ours}`, 'use one version of Regatta everywhere');
}

function judgeOpen(name: string, line: string): Finding {
  const mend = 'start it with the credentials that it names, and without --insecure';
  return about('coordinator', `${name} access`).warning(line.replace(/^INSECURE: /, ''), mend);
}

/** Who leads, and whether nodes of this version could speak with it. */
export function judgeLeadership(all: readonly CoordinatorFacts[]): Finding[] {
  const { ok, wrong } = about('coordinator', 'leadership');
  const told = all.flatMap(({ address, itself }) => (itself.kind === 'answered' ? [{ address, ...itself.value }] : []));
  const leading = told.filter(({ role }) => role === 'leading' || role === 'uncertain');
  const standBys = told.filter(({ role }) => role === 'standing-by').length;
  if (told.length === 0) return [];
  if (leading.length > 1) {
    const where = leading.map(({ address }) => address).join(' and ');
    return [
      wrong(`${where} lead, each a cluster of its own`, 'give all of them the same --nats, or name one cluster only'),
    ];
  }
  if (leading.length === 0 && standBys === 0) return [wrong('no coordinator leads', 'mend what each says above')];
  const where = leading[0]?.address ?? told.find(({ role }) => role === 'standing-by')!.leaders.join(', ');
  const found = [ok(`${where} leads, ${standBys === 0 ? 'none stands by' : `${standBys} of those seen stand by`}`)];
  const apart = leading.find(({ protocolMin: min, protocolMax: max }) => max < protocol.min || min > protocol.max);
  if (apart === undefined) return found;
  const what = `it speaks link protocol ${apart.protocolMin} to ${apart.protocolMax} with nodes, this version ${protocol.min} to ${protocol.max}`;
  return [...found, about('coordinator', 'protocol').wrong(what, 'use one version of Regatta everywhere')];
}
