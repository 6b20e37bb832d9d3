/**
 * What the soak itself did to the cluster, and when: a failure that one of its own blows explains is no bug, and any
 * other is.
 *
 * - J1: a blow is written down before it falls, and lasts until the cluster has had time to notice that it is over.
 */

export const faultKinds = ['kill-host', 'kill-agent', 'stop-agent', 'drain-node', 'kill-client'] as const;
export type FaultKind = (typeof faultKinds)[number];

interface Fault {
  readonly kind: FaultKind;
  readonly from: number;
  /** Infinite while it lasts. */
  to: number;
}

/** An agent notices the death of a host, and a coordinator that of an agent, somewhat later. */
const NOTICED_MS = 1_000;

export class Journal {
  readonly #faults: Fault[] = [];

  /** Of a fault that begins. @returns to be called at its end */
  begin(kind: FaultKind): () => void {
    const fault = { kind, from: performance.now(), to: Number.POSITIVE_INFINITY };
    this.#faults.push(fault);
    return () => {
      fault.to = performance.now();
    };
  }

  /** Of these kinds, how many were under way at any moment of the time given. */
  during(from: number, to: number, kinds: readonly FaultKind[]): number {
    return this.#faults.filter((f) => kinds.includes(f.kind) && f.from <= to && f.to + NOTICED_MS >= from).length;
  }

  /** Whether each kind of fault has struck. */
  get complete(): boolean {
    return Object.values(this.counts()).every((count) => count > 0);
  }

  counts(): Record<FaultKind, number> {
    const counts = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
    for (const { kind } of this.#faults) counts[kind]++;
    return counts;
  }
}
