/**
 * A JetStream work queue with nothing around it: one process publishes messages, many in flight, another consumes and
 * acknowledges each. Published means that the stream has it. With `--publish` or `--consume` this file is one of the
 * processes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AckPolicy, connect, type NatsConnection, nanos, RetentionPolicy, StorageType } from 'nats';
import { within } from './waiting.ts';

const ANSWER_MS_MAX = 60_000;
const NAME = 'BENCH';
const SUBJECT = 'bench.bare';
/** Published and not yet acknowledged, or asked for and not yet consumed. */
const IN_FLIGHT = 1_024;
const BODY = new Uint8Array(64);
const ACK_WAIT_MS = 30_000;

type Role = '--publish' | '--consume';

if (process.argv.includes('--publish')) await obeyWith(publish);
if (process.argv.includes('--consume')) await obeyWith(consume);

/** Connected before anything is measured. An order is how many; the answer is that they are done. */
async function obeyWith(work: (nc: NatsConnection, messages: number) => Promise<void>): Promise<void> {
  const nc = await connect({ servers: process.argv.at(-1)!, noAsyncTraces: true });
  process.once('disconnect', () => process.exit());
  process.on('message', (messages: number) => void work(nc, messages).then(() => process.send!('done')));
  process.send!('ready');
}

async function publish(nc: NatsConnection, messages: number): Promise<void> {
  const js = nc.jetstream();
  let left = messages;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await js.publish(SUBJECT, BODY);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function consume(nc: NatsConnection, messages: number): Promise<void> {
  const consumer = await nc.jetstream().consumers.get(NAME, NAME);
  let left = messages;
  for await (const message of await consumer.consume({ max_messages: IN_FLIGHT })) {
    message.ack();
    if (--left === 0) break;
  }
  await nc.flush();
}

export class BareStream {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** @param url of a NATS whose stream and consumer of that name are ours */
  static async start(url: string): Promise<BareStream> {
    await makeStream(url);
    const spawn = (role: Role): ChildProcess => fork(fileURLToPath(import.meta.url), [role, url]);
    const stream = new BareStream([spawn('--consume'), spawn('--publish')]);
    try {
      const ready = stream.#children.map((child) => once(child, 'message'));
      await within(ANSWER_MS_MAX, 'bare clients of NATS', Promise.all(ready));
      return stream;
    } catch (thrown) {
      stream.end();
      throw thrown;
    }
  }

  /** Wall time in ms from the order to publish to the last acknowledgement of the consumer. */
  async time(messages: number): Promise<number> {
    const startedAt = performance.now();
    const done = this.#children.map((child) => {
      child.send(messages);
      return once(child, 'message');
    });
    await within(ANSWER_MS_MAX, `${messages} messages through a bare stream`, Promise.all(done));
    return performance.now() - startedAt;
  }

  end(): void {
    for (const child of this.#children) child.kill();
  }
}

/** As that of the chunks: a work queue, in files. */
async function makeStream(url: string): Promise<void> {
  const nc = await connect({ servers: url });
  const jsm = await nc.jetstreamManager();
  const [storage, retention] = [StorageType.File, RetentionPolicy.Workqueue];
  await jsm.streams.add({ name: NAME, subjects: [SUBJECT], storage, retention });
  await jsm.consumers.add(NAME, {
    durable_name: NAME,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: 4 * IN_FLIGHT,
  });
  await nc.close();
}
