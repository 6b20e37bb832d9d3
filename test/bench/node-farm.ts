/** Many simulated nodes in a few processes. With `--child` this file is one of the processes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@regatta/kernel';
import { SimulatedNode } from './simulated-node.ts';
import { within } from './waiting.ts';

const ANSWER_MS_MAX = 30_000;

/** `join` is answered with a `Joined`, once the coordinator has welcomed all; `take` with a `Taken`. */
type Order =
  | { readonly kind: 'join'; readonly address: string; readonly ids: readonly string[] }
  | { readonly kind: 'take' };

interface Joined {
  /** Why not. */
  readonly failed?: string;
}

/** Of all nodes, since last asked. */
export interface Taken {
  /** Of heartbeats, in ms. */
  readonly roundTrips: readonly number[];
  /** Links that do not stand any more, and why. */
  readonly broken: readonly string[];
}

if (process.argv.includes('--child')) beChild();

function beChild(): void {
  const nodes: SimulatedNode[] = [];
  const tell = (answer: Joined | Taken): void => void process.send!(answer);
  process.once('disconnect', () => process.exit());
  process.on('message', (order: Order) => {
    if (order.kind === 'take') return tell(takeFrom(nodes));
    nodes.push(...order.ids.map((id) => new SimulatedNode(order.address, id)));
    Promise.all(nodes.map((node) => node.welcomed)).then(
      () => tell({}),
      (thrown) => tell({ failed: messageOf(thrown) }),
    );
  });
}

const takeFrom = (nodes: readonly SimulatedNode[]): Taken => ({
  roundTrips: nodes.flatMap((node) => node.takeRoundTrips()),
  broken: nodes.flatMap(({ broken }) => broken ?? []),
});

export class NodeFarm {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** @returns once the coordinator has welcomed all of them. @throws where it does not */
  static async start(address: string, processes: number, nodesEach: number): Promise<NodeFarm> {
    const file = fileURLToPath(import.meta.url);
    const farm = new NodeFarm(Array.from({ length: processes }, () => fork(file, ['--child'])));
    try {
      const joins = farm.#children.map(async (child, i) => {
        const ids = Array.from({ length: nodesEach }, (_, n) => `simulated-${i}-${n}`);
        const { failed } = (await ask(child, { kind: 'join', address, ids })) as Joined;
        if (failed !== undefined) throw new Error(`a node did not join: ${failed}`);
      });
      await Promise.all(joins);
      return farm;
    } catch (thrown) {
      farm.end();
      throw thrown;
    }
  }

  async take(): Promise<Taken> {
    const all = (await Promise.all(this.#children.map((child) => ask(child, { kind: 'take' })))) as Taken[];
    return {
      roundTrips: all.flatMap(({ roundTrips }) => roundTrips),
      broken: all.flatMap(({ broken }) => broken),
    };
  }

  /** All at once: their links break. */
  end(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

/** Each order has one answer, of its own kind. */
async function ask(child: ChildProcess, order: Order): Promise<unknown> {
  const answered = once(child, 'message');
  child.send(order);
  const [answer] = await within(ANSWER_MS_MAX, `simulated nodes to ${order.kind}`, answered);
  return answer;
}
