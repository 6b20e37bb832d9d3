/** NATS as it is reached from here: asked, not judged. What is wrong with what it says is nats-judgement's. */
import { Broker, type Connected, type NatsSite, streamDifferences } from '@regatta/broker';
import { counted, RegattaError } from '@regatta/kernel';
import type { NatsError, StreamInfo } from 'nats';
import { queueStreams } from '../fanout/streams.ts';
import { journalStream } from '../journal/log.ts';
import { monitored } from '../observe/nats-monitor.ts';
import { reach } from './coordinators.ts';
import { type Outcome, probe } from './probe.ts';

export interface Use {
  readonly usedBytes: number;
  /** 0 where there is no limit. */
  readonly mostBytes: number;
}

export interface StreamFacts extends Use {
  readonly replicas: number;
  /** Copies that are not what the leader of the stream has: name and why. */
  readonly behind: readonly string[];
  /** What makes it another stream than ours; what the next coordinator to start sets right. */
  readonly essential: readonly string[];
  readonly settled: readonly string[];
}

export interface NatsFacts {
  readonly servers: readonly string[];
  /** By a person; otherwise the coordinator says where they are, and there are no credentials. */
  readonly given: boolean;
  /** Whether each of the servers can be reached. */
  readonly reached: readonly { readonly server: string; readonly tcp: Outcome<unknown> }[];
  readonly connection: Outcome<ConnectionFacts>;
  readonly monitor: Outcome<Use> | undefined;
}

export interface ConnectionFacts {
  readonly server: string;
  readonly version: string;
  readonly payloadBytesMax: number;
  /** One server by itself has none. */
  readonly cluster: string;
  readonly roundTripMs: Outcome<number>;
  readonly account: Outcome<Use>;
  /** By name; undefined where it is not there. */
  readonly streams: readonly { readonly name: string; readonly stream: Outcome<StreamFacts | undefined> }[];
}

const NEEDS = [journalStream(), queueStreams.work, queueStreams.outcomes];
const STREAM_NOT_FOUND = 10_059;

/** @param monitorUrl of the monitoring port; undefined not to ask */
export async function examineNats(site: NatsSite, given: boolean, monitorUrl: string | undefined): Promise<NatsFacts> {
  const servers = site.servers.map((server) => server.replace(/^\w+:\/\//, ''));
  const [connection, monitor, ...reached] = await Promise.all([
    connectTo(site),
    monitorUrl === undefined ? undefined : probe(() => askMonitor(monitorUrl)),
    ...servers.map(async (server) => ({ server, tcp: await probe((signal) => reach(server, signal)) })),
  ]);
  return { servers, given, reached, connection, monitor };
}

async function connectTo(site: NatsSite): Promise<Outcome<ConnectionFacts>> {
  const broker = new Broker({ ...site, name: 'regatta doctor' });
  try {
    const connected = await probe(() => firstWord(broker));
    return connected.kind === 'failed' ? connected : { kind: 'answered', value: await ask(connected.value) };
  } finally {
    // Not awaited: a server that stands still takes its time.
    void broker.close();
  }
}

/** Connected, or the first complaint: a broker would try on. */
async function firstWord(broker: Broker): Promise<Connected> {
  const complaint = new Promise<never>((_, reject) => {
    broker.onState((state) => {
      if (state.kind !== 'waiting') return;
      reject(new RegattaError('NATS', state.complaint.replace(/; trying on$/, '')));
    });
  });
  const connected = broker.connected();
  connected.catch(() => {});
  return await Promise.race([connected, complaint]);
}

async function ask({ nc, jsm }: Connected): Promise<ConnectionFacts> {
  const { version = '', max_payload: payloadBytesMax = 0, cluster = '' } = nc.info ?? {};
  const [roundTripMs, account, ...streams] = await Promise.all([
    probe(() => nc.rtt()),
    probe(() => accountUse(jsm)),
    ...NEEDS.map(async (needs) => ({
      name: needs.name,
      stream: await probe(async () => {
        const info = await infoOf(jsm, needs.name);
        return info && { ...factsOf(info), ...streamDifferences(info, needs) };
      }),
    })),
  ]);
  return { server: nc.getServer(), version, payloadBytesMax, cluster, roundTripMs, account, streams };
}

async function accountUse(jsm: Connected['jsm']): Promise<Use> {
  const { storage, limits: bounds } = await jsm.getAccountInfo();
  return { usedBytes: storage, mostBytes: Math.max(0, bounds.max_storage) };
}

async function infoOf(jsm: Connected['jsm'], name: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(name);
  } catch (error) {
    if ((error as NatsError).api_error?.err_code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

function factsOf({ config, state, cluster }: StreamInfo): Omit<StreamFacts, 'essential' | 'settled'> {
  const behind = (cluster?.replicas ?? [])
    .filter(({ current, offline }) => offline || !current)
    .map(({ name, offline, lag }) => `${name} is ${offline ? 'offline' : `${counted(lag ?? 0, 'operation')} behind`}`);
  return { usedBytes: state.bytes, mostBytes: Math.max(0, config.max_bytes), replicas: config.num_replicas, behind };
}

async function askMonitor(url: string): Promise<Use> {
  const { jsz } = await monitored(url);
  if (jsz === undefined) throw new RegattaError('NATS', `${new URL(url).host} does not tell of JetStream`);
  return { usedBytes: jsz.storage, mostBytes: jsz.config.max_storage };
}
