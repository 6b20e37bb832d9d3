/** A node as far as the queue sees one: takes chunks of a run, holds them, and says of them what a test wants. */
import type { Broker } from '@regatta/broker';
import type { Assignment, Outcome } from '@regatta/proto/node';
import { Intake } from '@regatta/proto/queue-intake';
import { readWorkItem, writeOutcomes } from '@regatta/proto/queue-messages';
import { outcomeSubject, WORK_STREAM } from '@regatta/proto/queue-names';
import { encodeValue, pack } from '@regatta/workloads';

export class TestNode {
  readonly nodeId: string;
  readonly broker: Broker;
  readonly #runId: string;
  readonly #intake: Intake;
  readonly taken: Assignment[] = [];
  readonly #handles: string[] = [];

  constructor(broker: Broker, runId: string, { nodeId = 'a', room = 1_000, onTaken = () => {} } = {}) {
    this.broker = broker;
    this.#runId = runId;
    this.nodeId = nodeId;
    this.#intake = new Intake(broker, {
      stream: WORK_STREAM,
      consumer: runId,
      room: () => room - this.taken.length,
      atLeast: () => 1,
      onMessage: ({ data, handle }) => {
        this.taken.push(readWorkItem(data).assignment!);
        this.#handles.push(handle);
        onTaken();
      },
      onMissing: () => {},
    });
  }

  /** Of all that it took. */
  acknowledge(): void {
    for (const handle of this.#handles.splice(0)) this.#intake.ack(handle);
  }

  /** Resolves once they are in the stream. */
  async tell(...outcomes: Outcome[]): Promise<void> {
    await this.say(writeOutcomes({ nodeId: this.nodeId, incarnation: 1, outcomes, takings: [] }));
  }

  /** That it got a chunk after others had it. */
  async tellTaking(attemptId: number, deliveries: number): Promise<void> {
    const takings = [{ attemptId, deliveries }];
    await this.say(writeOutcomes({ nodeId: this.nodeId, incarnation: 1, outcomes: [], takings }));
  }

  /** Whatever it is. */
  async say(bytes: Uint8Array): Promise<void> {
    const { js } = await this.broker.connected();
    await js.publish(outcomeSubject(this.#runId), bytes);
  }

  close(): Promise<void> {
    return this.#intake.close();
  }
}

/** Each task's result is its index. */
export const completed = ({
  runId,
  attemptId,
  from,
  to,
}: Omit<Assignment, 'attempt' | 'alone' | 'inputs'>): Outcome => ({
  attemptId,
  runId,
  from,
  to,
  results: pack(Array.from({ length: to - from }, (_, i) => encodeValue(from + i))),
  failures: [],
  retryAfterMs: [],
  timing: undefined,
  end: { $case: 'completed', value: true },
});
