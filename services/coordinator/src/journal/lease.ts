/** The lease as it lies in NATS: one key of a key-value bucket, which only who knows its last revision can change. */
import { type Broker, ensureStream } from '@regatta/broker';
import { DiscardPolicy, type KV, type KvEntry, RetentionPolicy, StorageType } from 'nats';
import { API, answerOf, apiNumber } from './asking.ts';
import { limits } from './limits.ts';

const LEASE_KEY = 'leader';

export interface LeaderInfo {
  readonly id: string;
  /** Where clients and nodes reach it. */
  readonly addresses: readonly string[];
  /** By its own clock, since the epoch. */
  readonly sinceMs: number;
}

/** What is found in NATS. `free`: nobody leads, or who did has handed over. */
export type Lease =
  | { readonly kind: 'free'; readonly revision: number }
  /** `token` is of one election. */
  | { readonly kind: 'held'; readonly revision: number; readonly holder: LeaderInfo; readonly token: string };

const TEXT_CHARACTERS_MAX = 300;
const ADDRESSES_MAX = 16;

export class LeaseStore {
  readonly #broker: Broker;
  readonly #bucket: string;
  readonly #replicas: number;
  readonly #kv: KV;

  private constructor(broker: Broker, bucket: string, replicas: number, kv: KV) {
    this.#broker = broker;
    this.#bucket = bucket;
    this.#replicas = replicas;
    this.#kv = kv;
  }

  /** Waits for NATS. @throws RegattaError STREAM_DIFFERS, STREAM_REFUSED, BROKER_CLOSED */
  static async open(broker: Broker, bucket: string, replicas: number): Promise<LeaseStore> {
    const { nc } = await broker.connected();
    const js = nc.jetstream({ timeout: limits.leaseRequestMs });
    const kv = await answerOf(broker, () => js.views.kv(bucket, { bindOnly: true, allow_direct: false }));
    const store = new LeaseStore(broker, bucket, replicas, kv);
    await store.ensure();
    return store;
  }

  /** @throws as `open` */
  async ensure(): Promise<void> {
    const { jsm } = await this.#broker.connected();
    const needs = {
      name: `KV_${this.#bucket}`,
      subjects: [`$KV.${this.#bucket}.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      max_age: 0,
      allow_rollup_hdrs: true,
      // Another server than the stream's leader may be behind.
      allow_direct: false,
      num_replicas: this.#replicas,
    };
    await answerOf(this.#broker, () => ensureStream(jsm, needs));
  }

  async look(): Promise<Lease> {
    const entry = await this.#kv.get(LEASE_KEY);
    if (entry === null) return { kind: 'free', revision: 0 };
    if (entry.operation !== 'PUT') return { kind: 'free', revision: entry.revision };
    return { kind: 'held', revision: entry.revision, ...contentOf(entry) };
  }

  /** @returns the new revision; nothing where another one than `revision` was the last */
  async write(holder: LeaderInfo, token: string, revision: number): Promise<number | undefined> {
    try {
      // `update` does not know revision 0, `create` does not say which one it made.
      return await this.#kv.put(LEASE_KEY, JSON.stringify({ ...holder, token }), { previousSeq: revision });
    } catch (error) {
      if (apiNumber(error) === API.wrongLastSequence) return undefined;
      throw error;
    }
  }

  /** Others need not wait for it to run out. */
  handOver(revision: number): Promise<void> {
    return this.#kv.delete(LEASE_KEY, { previousSeq: revision });
  }
}

/** Whatever else is written there holds the lease as long as it is written anew. */
function contentOf(entry: KvEntry): { holder: LeaderInfo; token: string } {
  let content: Record<string, unknown> = {};
  try {
    content = Object(entry.json());
  } catch {
    // Then it says nothing.
  }
  const { id, addresses, sinceMs, token } = content;
  const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, TEXT_CHARACTERS_MAX) : '');
  return {
    holder: {
      id: text(id) || 'unknown',
      addresses: Array.isArray(addresses) ? addresses.slice(0, ADDRESSES_MAX).map(text) : [],
      sinceMs: typeof sinceMs === 'number' ? sinceMs : 0,
    },
    token: text(token),
  };
}
