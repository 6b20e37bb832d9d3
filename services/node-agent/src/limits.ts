/** What the agent bounds, units in the names. What a host process bounds is in worker/limits.ts. */
import { limits as worker } from './worker/limits.ts';

export const limits = {
  /** From the order to stop to the kill of a host that does not. */
  stopGraceMs: 200,
  /** How often hosts are looked at: for tasks past their time, and for their memory. */
  watchMs: 50,
  memoryWatchMs: 250,
  /**
   * A host holds chunks ahead of time, so that it need not wait for an order: so much work, of chunks up to so long, and
   * at least one of them.
   */
  aheadMs: 2,
  aheadChunkMsMax: 100,
  aheadChunksMax: 64,
  /** News of a task's start may be on its way this long before its host counts as silent. */
  silenceSlackMs: 250,
  /** So long may a host's threads take to start, on a busy machine, before its first task begins. */
  threadStartMsMax: 20_000,
  /** After a host's end, for what it wrote last: another process may hold its pipe open. */
  lastWordsMs: 100,
  stderrTailBytes: 4_096,
  /** A node on which so many hosts in a row die at their start is of no use. */
  stillbornMax: 5,
  /** Hosts beyond the prestarted ones end when idle for so long. */
  hostIdleMsMax: 60_000,
  /** With so many hosts a core, or so many in all if that is more, runs begin to share them. */
  hostsPerCoreMax: 4,
  hostsLeast: 8,
  /** A host that reaches this part of its memory limit is replaced when it has nothing to do. */
  recycleMemoryPart: 0.75,
  /** Of a frame to the coordinator, and of what is taken in one. */
  reportBytes: 1_048_576,
  /** News of so long goes together, while there is much of it. */
  reportGatherMs: 1,
  messageBytesMax: 67_108_864,
  /** What the coordinator may send before it hears that it was read. HTTP/2's own 64 KiB makes large messages wait. */
  windowBytes: 8_388_608,
} as const;

/** What each host process may use up before it is replaced, or killed. */
export interface HostLimits {
  readonly tasksMax: number;
  /** Resident. */
  readonly memoryBytesMax: number;
}

export interface LimitView {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly description: string;
}

/** Those that people meet, for `regatta status --verbose`. */
export function limitViews({ tasksMax, memoryBytesMax }: HostLimits): LimitView[] {
  const view = (name: string, value: number, unit: string, description: string) => ({ name, value, unit, description });
  return [
    view('hostTasksMax', tasksMax, 'tasks', 'a host process is replaced after so many'),
    view('hostMemoryBytesMax', memoryBytesMax, 'bytes', 'resident memory at which a host process is killed'),
    view('resultBytesMax', worker.resultBytesMax, 'bytes', 'the result of one task'),
    view('stopGraceMs', limits.stopGraceMs, 'ms', 'from the order to stop to the kill'),
    view(
      'hostIdleMsMax',
      limits.hostIdleMsMax,
      'ms',
      'a host process beyond the prestarted ones ends when idle so long',
    ),
  ];
}
