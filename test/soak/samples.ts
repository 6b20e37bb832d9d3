/**
 * Resident memory of every process of the cluster, once a second.
 *
 * - M1: a process is a series of its own, and begins anew where it is started anew: an agent that replaces another is no
 *   fall of memory, and its warm-up no rise.
 * - M2: it is resident memory as it is. What the coordinator keeps for people, or has let go of and its allocator has
 *   not, is in it: both are bounded, and the bound is allowed for (forms.ts).
 * - M3: host processes come and go with runs and faults, and some leak because they are told to. So of them all there is
 *   one series besides those of each: that of the one which a quarter are smaller than, and most larger. It is not a bad
 *   one as long as some are good, and it grows where all do.
 */
import { rssOf } from '../bench/memory.ts';
import { MIB, quantile } from '../bench/numbers.ts';
import type { Site } from './site.ts';
import type { Point } from './statistics.ts';

const SAMPLE_MS = 1_000;
export const TYPICAL_HOST = 'a typical host';

export type Group = 'coordinator' | 'agents' | 'hosts';

export interface Series {
  readonly group: Group;
  readonly name: string;
  readonly points: Point[];
}

export class Samples {
  readonly series = new Map<string, Series>();
  /** In MiB, of all processes of a group together, at the last look. */
  readonly now: Record<Group, number> = { coordinator: 0, agents: 0, hosts: 0 };
  /** The most of it, likewise. */
  readonly peak: Record<Group, number> = { coordinator: 0, agents: 0, hosts: 0 };
  readonly #site: Site;
  readonly #timer: NodeJS.Timeout;

  constructor(site: Site) {
    this.#site = site;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const at = performance.now() / 1000;
    const site = this.#site;
    const coordinator = rssOf(site.coordinator) / MIB;
    if (coordinator > 0) this.#add('coordinator', 'coordinator', [at, coordinator]);
    const agents: number[] = [];
    const hosts: number[] = [];
    for (const [name, pid] of site.agents()) {
      agents.push(this.#process('agents', name, pid, at));
      for (const host of site.hosts(name)) hosts.push(this.#process('hosts', `host of ${name}`, host, at));
    }
    if (hosts.length > 0) this.#add('hosts', TYPICAL_HOST, [at, quantile(hosts, 0.25)]);
    this.#sum('coordinator', [coordinator]);
    this.#sum('agents', agents);
    this.#sum('hosts', hosts);
  }

  #process(group: Group, name: string, pid: number, at: number): number {
    const value = rssOf(pid) / MIB;
    if (value > 0) this.#add(group, `${name} (${pid})`, [at, value]);
    return value;
  }

  #add(group: Group, name: string, point: Point): void {
    const series = this.series.get(name) ?? { group, name, points: [] };
    this.series.set(name, series);
    series.points.push(point);
  }

  #sum(group: Group, values: readonly number[]): void {
    this.now[group] = values.reduce((sum, value) => sum + value, 0);
    this.peak[group] = Math.max(this.peak[group], this.now[group]);
  }
}
