/** Streams as we need them: made where they are missing, refused where somebody made them otherwise. */
import { messageOf, RegattaError } from '@regatta/kernel';
import type { JetStreamManager, NatsError, StreamConfig, StreamInfo } from 'nats';

export type StreamNeeds = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects' | 'retention'>;

/** Another value of these is another stream: somebody else's, or one that loses what we need. */
const ESSENTIAL = ['subjects', 'retention', 'storage', 'discard', 'discard_new_per_subject', 'sealed'] as const;

/** NATS's numbers of its errors. */
const STREAM_NOT_FOUND = 10_059;
const NAME_IN_USE = 10_058;
const SUBJECTS_OVERLAP = 10_065;

/**
 * What of `needs` is essential must be so; limits that differ are changed to what is needed, but none to less than the
 * stream holds.
 * @throws RegattaError STREAM_DIFFERS where a stream of that name, or of those subjects, is another
 * @throws RegattaError STREAM_REFUSED where NATS does not make or change it, for want of room or of rights, say
 * @throws NatsError where NATS cannot be asked just now
 */
export async function ensureStream(jsm: JetStreamManager, needs: StreamNeeds): Promise<void> {
  const found = (await infoOf(jsm, needs.name)) ?? (await made(jsm, needs));
  if (found === 'made') return;
  refuseOthers(found.config, needs);
  const changes = changesOf(found, needs);
  if (Object.keys(changes).length === 0) return;
  await jsm.streams.update(needs.name, changes).catch((error: unknown) => {
    const which = Object.keys(changes).join(', ');
    throw refusal(error, `the NATS stream ${needs.name} needs another ${which}, which NATS refuses`);
  });
}

async function infoOf(jsm: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(name);
  } catch (error) {
    if (numberOf(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/** @returns the stream of another process that made it just before */
async function made(jsm: JetStreamManager, needs: StreamNeeds): Promise<StreamInfo | 'made'> {
  try {
    await jsm.streams.add({ ...needs });
    return 'made';
  } catch (error) {
    if (numberOf(error) === NAME_IN_USE) return jsm.streams.info(needs.name);
    if (numberOf(error) !== SUBJECTS_OVERLAP) throw refusal(error, `NATS refuses to make the stream ${needs.name}`);
    const subjects = needs.subjects.join(' ');
    throw differs(`another NATS stream than ${needs.name} already takes subjects of ${subjects}`);
  }
}

function refuseOthers(has: StreamConfig, needs: StreamNeeds): void {
  const different = essentialDifferences(has, needs);
  if (different.length > 0) throw differs(`the NATS stream ${needs.name} has ${different.join(', ')}`);
}

/** What makes it another stream, a few words each. */
function essentialDifferences(has: StreamConfig, needs: StreamNeeds): string[] {
  const different = ESSENTIAL.filter((key) => needs[key] !== undefined && !same(has[key] ?? false, needs[key])).map(
    (key) => `${key} ${shown(has[key])} instead of ${shown(needs[key])}`,
  );
  if (has.mirror !== undefined || has.sources !== undefined) different.push('another stream as its source');
  return different;
}

/** How a stream is not as it is needed, a few words each. `settled` of itself when it is next ensured, `essential` not. */
export function streamDifferences(
  info: StreamInfo,
  needs: StreamNeeds,
): { readonly essential: readonly string[]; readonly settled: readonly string[] } {
  const settled = Object.entries(changesOf(info, needs)).map(
    ([key, value]) => `${key} ${shown(info.config[key as keyof StreamConfig])} instead of ${shown(value)}`,
  );
  return { essential: essentialDifferences(info.config, needs), settled };
}

function changesOf({ config: has, state }: StreamInfo, needs: StreamNeeds): Partial<StreamConfig> {
  // NATS would drop what is too much, the oldest first.
  const stays = (limit: number | undefined, held: number): boolean => limit !== undefined && limit > 0 && held > limit;
  const kept = new Set<string>(['name', ...ESSENTIAL]);
  if (stays(needs.max_bytes, state.bytes)) kept.add('max_bytes');
  if (stays(needs.max_msgs, state.messages)) kept.add('max_msgs');
  const changes = Object.entries(needs).filter(
    ([key, value]) => !kept.has(key) && value !== undefined && !same(has[key as keyof StreamConfig], value),
  );
  return Object.fromEntries(changes);
}

/** Subjects have no order. */
const same = (a: unknown, b: unknown): boolean => shown(a) === shown(b);

const shown = (value: unknown): string =>
  Array.isArray(value)
    ? [...value].sort().join(' ')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);

const numberOf = (error: unknown): number | undefined => (error as NatsError).api_error?.err_code;

const differs = (what: string): RegattaError<'STREAM_DIFFERS'> =>
  new RegattaError('STREAM_DIFFERS', `${what}: remove or rename that stream, or use another NATS account`);

/** What NATS decided is ours to tell; what it could not be asked is for the caller to ask again. */
function refusal(error: unknown, what: string): unknown {
  if (numberOf(error) === undefined) return error;
  return new RegattaError('STREAM_REFUSED', `${what}: ${messageOf(error)}`);
}
