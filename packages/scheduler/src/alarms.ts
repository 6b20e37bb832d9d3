/** When to look at which run again, whatever else happens. Holds a bounded number of times that no longer matter. */
import { MinHeap } from '@regatta/kernel';
import { type DumpedNumber, dumpNumber, loadNumber } from './dump.ts';
import { limits } from './limits.ts';

interface Alarm {
  readonly at: number;
  readonly runId: string;
}

export interface AlarmsDump {
  readonly heap: readonly { readonly at: DumpedNumber; readonly runId: string }[];
  readonly sweepAt: number;
}

const alarmHeap = (): MinHeap<Alarm> => new MinHeap((alarm) => alarm.at);

export class Alarms {
  #heap = alarmHeap();
  #sweepAt: number = limits.alarmsStaleMax;
  readonly #matters: (runId: string) => boolean;

  /** @param matters whether the run can still have use for an alarm */
  constructor(matters: (runId: string) => boolean) {
    this.#matters = matters;
  }

  get size(): number {
    return this.#heap.size;
  }

  /** The earliest; infinite where there is none. */
  get next(): number {
    return this.#heap.peek()?.at ?? Number.POSITIVE_INFINITY;
  }

  set(at: number, runId: string): void {
    this.#heap.push({ at, runId });
    // Deadlines are far off, and most runs end long before them.
    if (this.#heap.size > this.#sweepAt) this.#sweep();
  }

  /** Takes out the runs whose time has come, each once. */
  takeDue(now: number): Set<string> {
    const due = new Set<string>();
    while (this.next <= now) due.add(this.#heap.pop()!.runId);
    return due;
  }

  dump(): AlarmsDump {
    const heap = this.#heap.items().map(({ at, runId }) => ({ at: dumpNumber(at), runId }));
    return { heap, sweepAt: this.#sweepAt };
  }

  /** Takes the place of all there was. */
  load({ heap, sweepAt }: AlarmsDump): void {
    this.#heap = alarmHeap();
    // Pushed in a heap's own order, each item stays where it is put.
    for (const { at, runId } of heap) this.#heap.push({ at: loadNumber(at), runId });
    this.#sweepAt = sweepAt;
  }

  #sweep(): void {
    const all = this.#heap.items();
    this.#heap = alarmHeap();
    for (const alarm of all) if (this.#matters(alarm.runId)) this.#heap.push(alarm);
    this.#sweepAt = 2 * this.#heap.size + limits.alarmsStaleMax;
  }
}
