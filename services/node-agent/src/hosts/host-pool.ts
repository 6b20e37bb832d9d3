/** The node's host processes: started ahead of need, reused by later runs, replaced when worn, ended when idle for long. */
import { type HostLimits, limits } from '../limits.ts';
import type { WorkloadCard } from '../worker/messages.ts';
import { Host, type HostDeath, type HostEnd, type HostEvents, hostEnds } from './host.ts';

export class HostPool {
  readonly #hosts = new Set<Host>();
  readonly #events: HostEvents;
  readonly #prestarted: number;
  readonly #limits: HostLimits;
  readonly #onUnable: (why: string) => void;
  readonly #sweep: NodeJS.Timeout;
  #closing = false;
  #held = false;
  /** Hosts in a row that died before they were ready. */
  #stillborn = 0;
  #starts = 0;
  readonly #ends = Object.fromEntries(hostEnds.map((end) => [end, 0])) as Record<HostEnd, number>;

  /**
   * @param prestarted single-threaded hosts to keep ready, whatever happens to them
   * @param onUnable called where one host after another dies at its start
   */
  constructor(
    prestarted: number,
    hostLimits: HostLimits,
    events: Omit<HostEvents, 'abandoned'>,
    onUnable: (why: string) => void,
  ) {
    this.#onUnable = onUnable;
    this.#prestarted = prestarted;
    this.#limits = hostLimits;
    this.#events = {
      ...events,
      abandoned: (host) => this.rest(host),
      death: (host, death) => this.#buried(host, death, events),
    };
    for (let i = 0; i < prestarted; i++) this.#start(1, 1);
    this.#sweep = setInterval(() => this.#endIdle(), limits.sweepMs);
    this.#sweep.unref();
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** How many there are, how many there were, and what they take just now. */
  figures() {
    const states = { starting: 0, idle: 0, busy: 0 };
    let rssBytes = 0;
    for (const host of this.#hosts) {
      host.readMemory();
      rssBytes += host.rssBytes;
      states[host.attempts.size > 0 ? 'busy' : host.wasReady ? 'idle' : 'starting']++;
    }
    return { states, rssBytes, starts: this.#starts, ends: this.#ends };
  }

  /** What the hosts can run. @throws Error where no host gets as far as saying so */
  async workloads(): Promise<readonly WorkloadCard[]> {
    const [first] = this.#hosts;
    return (first ?? this.#start(1, 1)).ready;
  }

  /** The least busy host of this make that is not in `taken`; a new one where there is none. */
  acquire(threads: number, concurrency: number, taken: ReadonlySet<Host>): Host {
    let best: Host | undefined;
    for (const host of this.#hosts) {
      // Single-threaded hosts put no bound on concurrency, so one make serves all.
      const fits = host.threads === threads && (threads === 1 || host.concurrency === concurrency);
      if (!fits || !host.usable || taken.has(host)) continue;
      if (best === undefined || host.attempts.size < best.attempts.size) best = host;
    }
    // An idle one if there is: in a shared one, what kills one run's tasks would take another's with them.
    if (best?.attempts.size === 0) return best;
    if (best === undefined || this.#makeRoom()) return this.#start(threads, concurrency);
    return best;
  }

  /** One that nobody uses, started where there is none. */
  acquireIdle(threads: number, concurrency: number): Host {
    const busy = new Set([...this.#hosts].filter((host) => host.attempts.size > 0));
    return this.acquire(threads, concurrency, busy);
  }

  /** Whether there may be one more; an idle one that nobody asked for goes in its stead. */
  #makeRoom(): boolean {
    const usable = [...this.#hosts].filter((host) => host.usable);
    if (usable.length < Math.max(limits.hostsLeast, limits.hostsPerCoreMax * this.#prestarted)) return true;
    const spare = this.#singles() > this.#prestarted;
    const idle = usable.find((host) => host.attempts.size === 0 && (host.threads > 1 || spare));
    idle?.kill('order', 'idle');
    return idle !== undefined;
  }

  /** To be called when the host has ended a chunk: a worn one is given no more, and ends once it is idle. */
  rest(host: Host): void {
    host.idleSince = performance.now();
    if (host.attempts.size === 0) host.reserved = false;
    if (host.attempts.size === 0) host.readMemory();
    if (host.worn && host.usable) {
      host.retiring = true;
      // Before it goes, so that nobody waits for the start of its successor.
      if (!this.#closing && this.#singles() < this.#prestarted) this.#start(1, 1);
    }
    if (host.retiring && host.attempts.size === 0) host.kill('order', 'worn');
  }

  /** While it is on no task begins in any host. */
  hold(on: boolean): void {
    this.#held = on;
    for (const host of this.#hosts) host.hold(on);
  }

  checkMemory(): void {
    for (const host of this.#hosts) host.checkMemory();
  }

  closeRun(runId: string): void {
    for (const host of this.#hosts) host.close(runId);
  }

  /** Kills them all. */
  end(): void {
    this.#closing = true;
    clearInterval(this.#sweep);
    for (const host of this.#hosts) host.kill('order');
  }

  #start(threads: number, concurrency: number): Host {
    const host = new Host(threads, concurrency, this.#limits, this.#events);
    this.#starts++;
    this.#hosts.add(host);
    if (this.#held) host.hold(true);
    const born = (): void => {
      this.#stillborn = 0;
    };
    host.ready.then(born, () => {});
    return host;
  }

  #buried(host: Host, death: HostDeath, events: Pick<HostEvents, 'death'>): void {
    this.#hosts.delete(host);
    this.#ends[host.endedFor]++;
    this.#stillborn = host.wasReady || host.killedFor !== undefined ? 0 : this.#stillborn + 1;
    if (this.#stillborn === limits.stillbornMax) this.#onUnable(death.stderrTail.trim() || `exit ${death.exit}`);
    events.death(host, death);
    // One that never became ready would only die again: the next run that needs it will say why.
    if (!this.#closing && host.wasReady && this.#singles() < this.#prestarted) this.#start(1, 1);
  }

  #singles(): number {
    return [...this.#hosts].filter((host) => host.threads === 1 && host.usable).length;
  }

  #endIdle(): void {
    const now = performance.now();
    let singles = this.#singles();
    for (const host of this.#hosts) {
      if (host.attempts.size > 0 || now - host.idleSince < limits.hostIdleMsMax) continue;
      if (host.threads === 1 && singles-- <= this.#prestarted) continue;
      host.kill('order', 'idle');
    }
  }
}
