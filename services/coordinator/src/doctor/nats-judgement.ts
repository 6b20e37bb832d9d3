/** What NATS is and has, held against what a cluster needs of it. */
import { bytes, milliseconds } from '../cli/render/format.ts';
import { about, type Finding } from './finding.ts';
import { limits } from './limits.ts';
import type { ConnectionFacts, NatsFacts, StreamFacts, Use } from './nats.ts';
import type { Outcome } from './probe.ts';
import { isAtLeast } from './versions.ts';

const VERSION_LEAST = '2.9';

/** @param inUse whether a coordinator that leads has its journal there */
export function judgeNats(facts: NatsFacts, inUse: boolean): Finding[] {
  const { servers, reached, connection, monitor } = facts;
  const name = servers.join(', ');
  if (connection.kind === 'failed') return [judgeUnusable(facts, connection)];
  const { streams } = connection.value;
  return [
    ...judgeServer(name, connection.value),
    ...reached.flatMap(({ server, tcp }) => (tcp.kind === 'failed' ? [judgeUnreached(server, tcp.why)] : [])),
    ...judgeDisk(connection.value.account, monitor),
    ...streams.flatMap(({ name, stream }) => judgeStream(name, stream, inUse, connection.value.cluster !== '')),
    ...judgeCopies(streams),
  ];
}

function judgeUnusable({ servers, given }: NatsFacts, { why, code }: { why: string; code: string }): Finding {
  const { skipped, wrong } = about('NATS', servers.join(', '));
  // As a service says it in its log: what, a colon, what to do.
  const [, what = why, mend] = (code === 'NATS' && /^(.*): (.*)$/.exec(why)) || [];
  // Whether it does what it should the coordinator has said: it need not be open to us.
  if (!given) return skipped(`not looked at from here: ${what}`);
  const credentials = 'give --nats-user and --nats-password-file, or --nats-token-file, as the coordinator has them';
  if (/ refuses | wants credentials /.test(what)) return wrong(what, credentials);
  return wrong(what, mend ?? 'start it, open its port to this machine, or correct --nats');
}

const judgeUnreached = (server: string, why: string): Finding =>
  about('NATS', server).warning(`this server of them cannot be reached: ${why}`, 'start it, or take it out of --nats');

function judgeServer(name: string, facts: ConnectionFacts): Finding[] {
  const { server, version, payloadBytesMax, cluster, roundTripMs } = facts;
  const { ok, warning, wrong } = about('NATS', name);
  const kind = cluster === '' ? 'one server' : `cluster ${cluster}`;
  const found = [ok(`reached at ${server}, ${kind}, with JetStream`)];
  if (isAtLeast(version, VERSION_LEAST)) found.push(about('NATS', 'version').ok(version));
  else found.push(about('NATS', 'version').wrong(`${version} is too old`, `upgrade it to ${VERSION_LEAST} or later`));
  if (payloadBytesMax < limits.natsPayloadBytesMin) {
    const mend = `set max_payload to ${bytes(limits.natsPayloadBytesMin)} or more in its configuration`;
    found.push(wrong(`takes messages of ${bytes(payloadBytesMax)} at most`, mend));
  }
  if (roundTripMs.kind === 'failed') found.push(wrong(`does not answer a ping: ${roundTripMs.why}`, 'see its log'));
  else if (roundTripMs.value > limits.natsRoundTripMsWarning) {
    const what = `${milliseconds(roundTripMs.value)} there and back, from here`;
    found.push(warning(what, 'put coordinators and NATS near each other: each step of a run waits for it'));
  }
  return found;
}

/** Of the disk the server's own word counts more than the account's, which knows of none where nobody set a limit. */
function judgeDisk(account: Outcome<Use>, monitor: Outcome<Use> | undefined): Finding[] {
  const { warning } = about('NATS', 'storage');
  if (account.kind === 'failed')
    return [warning(`JetStream does not tell of it: ${account.why}`, 'see the log of NATS')];
  const mend = 'give JetStream a larger max_file_store, or remove what else is in it';
  const found = [judgeUse('storage', account.value, mend)];
  if (monitor?.kind === 'failed') {
    found.push(about('NATS', 'monitoring').warning(`cannot be asked: ${monitor.why}`, 'correct --nats-monitor'));
  } else if (monitor !== undefined) found.push(judgeUse('storage of this server', monitor.value, mend));
  return found;
}

function judgeUse(name: string, { usedBytes, mostBytes }: Use, mend: string): Finding {
  const { ok, warning, wrong } = about('NATS', name);
  if (mostBytes === 0) return ok(`${bytes(usedBytes)} used, without a limit`);
  const what = `${bytes(usedBytes)} used of ${bytes(mostBytes)}`;
  const part = usedBytes / mostBytes;
  if (part > limits.fullPartWrong) return wrong(what, mend);
  return part > limits.fullPartWarning ? warning(what, mend) : ok(what);
}

function judgeStream(
  name: string,
  outcome: Outcome<StreamFacts | undefined>,
  inUse: boolean,
  clustered: boolean,
): Finding[] {
  const { ok, warning, wrong } = about('NATS', name);
  if (outcome.kind === 'failed') return [wrong(`cannot be asked for: ${outcome.why}`, 'see the log of NATS')];
  const stream = outcome.value;
  if (stream === undefined) {
    if (inUse) return [wrong('is not there', 'start the coordinator again: it makes it; what was in it is lost')];
    return [ok('is not there yet: the first coordinator makes it')];
  }
  const { essential, settled, behind, replicas } = stream;
  const found: Finding[] = [];
  const other = 'remove or rename that stream, or use another NATS account';
  if (essential.length > 0) found.push(wrong(`has ${essential.join(', ')}: it is not ours`, other));
  if (settled.length > 0) {
    found.push(warning(`has ${settled.join(', ')}`, 'start the coordinator again: it sets that right'));
  }
  if (behind.length > 0) {
    found.push(wrong(`copies are not current: ${behind.join(', ')}`, 'see the log of those servers of NATS'));
  }
  if (clustered && replicas === 1) {
    const mend = 'start coordinators with --nats-replicas 3';
    found.push(warning('has one copy, in a cluster that could hold more: it goes with its server', mend));
  }
  const full = judgeUse(name, stream, 'cancel or finish runs, or give NATS more room; beyond it nothing is accepted');
  if (full.level !== 'ok') found.push(full);
  if (found.length > 0) return found;
  const copies = replicas === 1 ? 'one copy' : `${replicas} copies, all current`;
  return [ok(`${copies}, ${full.what}`)];
}

/** Together they are as safe as the one with the fewest. */
function judgeCopies(streams: ConnectionFacts['streams']): Finding[] {
  const copies = streams.flatMap(({ name, stream }) =>
    stream.kind === 'answered' && stream.value !== undefined ? [{ name, replicas: stream.value.replicas }] : [],
  );
  if (new Set(copies.map(({ replicas }) => replicas)).size < 2) return [];
  const what = copies.map(({ name, replicas }) => `${name} has ${replicas}`).join(', ');
  return [about('NATS', 'copies').warning(`differ: ${what}`, 'start all coordinators with the same --nats-replicas')];
}
