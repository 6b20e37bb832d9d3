/** What is counted for chunks of one transport: found once, so that to count costs an addition. */
import type { Durations, Tally } from '@regatta/observe';
import type { Metrics } from './metrics.ts';

export interface Work {
  readonly succeeded: Tally;
  readonly failed: Tally;
  readonly chunks: Readonly<Record<'completed' | 'stopped' | 'lost', Tally>>;
  readonly cpu: Tally;
  readonly laneTime: Tally;
  readonly wait: Durations;
}

export function workOf({ tasks, chunks, taskCpu, laneTime, wait }: Metrics, transport: 'grpc' | 'nats'): Work {
  return {
    succeeded: tasks.of({ transport, outcome: 'succeeded' }),
    failed: tasks.of({ transport, outcome: 'failed' }),
    chunks: {
      completed: chunks.of({ transport, outcome: 'completed' }),
      stopped: chunks.of({ transport, outcome: 'stopped' }),
      lost: chunks.of({ transport, outcome: 'lost' }),
    },
    cpu: taskCpu.of({ transport }),
    laneTime: laneTime.of({ transport }),
    wait: wait.of({ transport }),
  };
}
