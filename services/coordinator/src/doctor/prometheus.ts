/** Prometheus, asked by its API: what it scrapes, what rules it has, what they say. Judged elsewhere. */
import { type Asking, getJson } from './http.ts';
import { limits } from './limits.ts';
import { type Outcome, probe } from './probe.ts';

export interface Target {
  readonly job: string;
  /** HOST:PORT */
  readonly address: string;
  /** Label `node`; empty where it has none. */
  readonly node: string;
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
}

export interface RuleFacts {
  readonly groups: readonly string[];
  /** Rules that cannot be evaluated, and why. */
  readonly broken: readonly { readonly name: string; readonly why: string }[];
}

export interface Alert {
  readonly name: string;
  readonly severity: string;
  /** What tells it from others of its name, as `node="a"`. */
  readonly labels: string;
  readonly summary: string;
}

export interface PrometheusFacts {
  readonly url: string;
  readonly version: Outcome<string>;
  readonly targets: Outcome<readonly Target[]>;
  readonly rules: Outcome<RuleFacts>;
  readonly firing: Outcome<readonly Alert[]>;
}

export async function examinePrometheus(url: string): Promise<PrometheusFacts> {
  const ask = <T>(path: string, read: (data: Json) => T): Promise<Outcome<T>> =>
    probe(async (signal) => read(await dataOf(url, path, { signal })));
  const [version, targets, rules, firing] = await Promise.all([
    ask('api/v1/status/buildinfo', ({ version }) => text(version)),
    ask('api/v1/targets?state=active', ({ activeTargets }) => objects(activeTargets).map(targetOf)),
    ask('api/v1/rules', ({ groups }) => rulesOf(objects(groups))),
    ask('api/v1/alerts', ({ alerts }) =>
      objects(alerts)
        .filter(({ state }) => state === 'firing')
        .map(alertOf),
    ),
  ]);
  return { url, version, targets, rules, firing };
}

type Json = Readonly<Record<string, unknown>>;

async function dataOf(url: string, path: string, asking: Asking): Promise<Json> {
  const { status, data } = object(await getJson(url, path, asking));
  if (status !== 'success') throw new Error(`${new URL(url).host} is no Prometheus: it answers otherwise`);
  return object(data);
}

function targetOf({ labels, scrapeUrl, health, lastError }: Json): Target {
  const { job, node, instance } = object(labels);
  const known = health === 'up' || health === 'down' ? health : 'unknown';
  const address = cut(URL.parse(String(scrapeUrl))?.host ?? text(instance));
  return { job: text(job), address, node: text(node), health: known, lastError: text(lastError) };
}

function rulesOf(groups: readonly Json[]): RuleFacts {
  const rules = groups.flatMap(({ rules }) => objects(rules));
  return {
    groups: groups.map(({ name }) => text(name)),
    broken: rules
      .filter(({ health }) => health === 'err')
      .map(({ name, lastError }) => ({ name: text(name), why: text(lastError) })),
  };
}

function alertOf({ labels, annotations }: Json): Alert {
  const { alertname, severity, ...rest } = object(labels);
  const told = Object.entries(rest).map(([name, value]) => `${name}="${text(value)}"`);
  const summary = text(object(annotations).summary);
  return { name: text(alertname), severity: text(severity), labels: cut(told.join(', ')), summary };
}

const object = (json: unknown): Json => (typeof json === 'object' && json !== null ? (json as Json) : {});
const objects = (json: unknown): Json[] => (Array.isArray(json) ? json.map(object) : []);
const text = (json: unknown): string => (typeof json === 'string' ? cut(json) : '');

/** Prometheus repeats what its targets say, and names become headings: neither may be long, nor move a cursor. */
const cut = (words: string): string => {
  const line = words.replaceAll(/\p{Cc}+/gu, ' ');
  return line.length <= limits.textCharactersMax ? line : `${line.slice(0, limits.textCharactersMax - 1)}…`;
};
