/** What the local target answers, and how a request may ask for something else by its query. */
import { RegattaError } from '@regatta/kernel';
import { type Latency, parseLatency } from '../latency.ts';

export interface Settings {
  /** Between a request and its answer. */
  readonly latency: Latency;
  /** Which part of the requests fail, 0..1; which ones they are depends on the seed and the path with its query. */
  readonly errorRate: number;
  /** So many first requests for one path with its query fail: a retry then succeeds. */
  readonly failFirst: number;
  /** Above 0, failures are 503 with a Retry-After of so many seconds; otherwise 500. */
  readonly retryAfterSeconds: number;
  readonly bodyBytes: number;
  /** How often one is sent on before the answer comes. */
  readonly redirects: number;
  /** Of the answer where nothing fails. */
  readonly status: number;
  /** The connection breaks in the middle of the body. */
  readonly breaks: boolean;
}

export const defaults: Settings = {
  latency: { kind: 'fixed', ms: 0 },
  errorRate: 0,
  failFirst: 0,
  retryAfterSeconds: 0,
  bodyBytes: 1024,
  redirects: 0,
  status: 200,
  breaks: false,
};

const readers: { readonly [K in keyof Settings]: (text: string, name: string) => Settings[K] } = {
  latency: parseLatency,
  errorRate: numberIn(0, 1),
  failFirst: wholeNumberIn(0, 1_000_000),
  retryAfterSeconds: wholeNumberIn(0, 86_400),
  bodyBytes: wholeNumberIn(0, 2 ** 30),
  redirects: wholeNumberIn(0, 1000),
  status: wholeNumberIn(200, 599),
  breaks: (text) => text !== 'false',
};

/** The settings with those over them that are given as text. @throws RegattaError BAD_TARGET or BAD_LATENCY */
export function settingsFrom(given: Readonly<Partial<Record<keyof Settings, string>>>, over = defaults): Settings {
  const settings: Record<string, unknown> = { ...over };
  for (const [name, text] of Object.entries(given)) settings[name] = readers[name as keyof Settings](text, name);
  return settings as unknown as Settings;
}

/** The same by a query (`latency=exp:20&bodyBytes=100`); what else is in it is left alone, to tell URLs apart by. */
export function settingsOfQuery(query: string, over: Settings): Settings {
  const given: Partial<Record<keyof Settings, string>> = {};
  for (const [name, text] of new URLSearchParams(query)) {
    if (Object.hasOwn(readers, name)) given[name as keyof Settings] = text;
  }
  return settingsFrom(given, over);
}

function numberIn(min: number, max: number, whole = false) {
  return (text: string, name: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    const what = whole ? 'a whole number' : 'a number';
    throw new RegattaError(
      'BAD_TARGET',
      `target: ${name} is ${JSON.stringify(text)}; give ${what} from ${min} to ${max}`,
    );
  };
}

function wholeNumberIn(min: number, max: number) {
  return numberIn(min, max, true);
}
