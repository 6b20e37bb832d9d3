/** When a node goes, and what it does before: with a link, hosts and queues that say what a test wants. The real ones are in test/integration/told-to-end.test.ts. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from './limits.ts';
import { leave } from './shutdown.ts';

/** Far less than any time that it waits for in vain. */
const AT_ONCE_MS = 300;
const FINISH_MS = 400;

class Node {
  readonly did: string[] = [];
  idle = true;
  held = 0;
  settled = true;
  pendingBytes = 0;
  connected = true;
  durable = true;
  /** What happens once all is to be handed back. */
  onHandBackAll = (): void => {};
  hearsGoodbye = true;

  readonly executor = ((node: Node) => ({
    get idle() {
      return node.idle;
    },
    handBack(all: boolean) {
      node.did.push(all ? 'hand back all' : 'hand back what waits');
      if (all) node.onHandBackAll();
    },
  }))(this);

  readonly queues = ((node: Node) => ({
    get held() {
      return node.held;
    },
    stopAll: () => void node.did.push('stop pulling'),
    close: async () => void node.did.push('close queues'),
  }))(this);

  readonly link = ((node: Node) => ({
    get settled() {
      return node.settled;
    },
    get pendingBytes() {
      return node.pendingBytes;
    },
    get connected() {
      return node.connected;
    },
    get durable() {
      return node.durable;
    },
    leave: () => void node.did.push('say leaving'),
    goodbye: () => {
      node.did.push('say goodbye');
      return node.hearsGoodbye ? Promise.resolve() : new Promise<void>(() => {});
    },
  }))(this);

  readonly log = { info: () => {}, warn: () => void this.did.push('warn') };

  /** @returns after how many ms */
  async leaves(finishMs = FINISH_MS): Promise<number> {
    const begun = performance.now();
    await leave(this, finishMs);
    return performance.now() - begun;
  }
}

const LEAVES = ['say leaving', 'stop pulling', 'hand back what waits'];
const GOES = ['say goodbye', 'close queues'];

let node: Node;
beforeEach(() => {
  node = new Node();
});

describe('a node that leaves', () => {
  it('goes at once where it has nothing to do', async () => {
    const tookMs = await node.leaves();
    assert.ok(tookMs < AT_ONCE_MS, `it took ${tookMs} ms`);
    assert.deepEqual(node.did, [...LEAVES, ...GOES]);
  });

  for (const [what, busy, done] of [
    ['hosts are at work', { idle: false }, { idle: true }],
    ['queues do not have its outcomes', { held: 1 }, { held: 0 }],
    ['something is to be told', { settled: false, pendingBytes: 8 }, { settled: true, pendingBytes: 0 }],
  ] as const) {
    it(`stays while ${what}, and no longer`, async () => {
      Object.assign(node, busy);
      setTimeout(() => Object.assign(node, done), FINISH_MS / 2);
      const tookMs = await node.leaves();
      assert.ok(tookMs >= FINISH_MS / 2 - 1 && tookMs < FINISH_MS, `it took ${tookMs} ms`);
      assert.deepEqual(node.did, [...LEAVES, ...GOES]);
    });
  }

  it('hands all back when its time is up, and goes once that is told', async () => {
    node.idle = false;
    node.onHandBackAll = () => {
      node.idle = true;
    };
    const tookMs = await node.leaves();
    assert.ok(tookMs >= FINISH_MS && tookMs < FINISH_MS + AT_ONCE_MS, `it took ${tookMs} ms`);
    assert.deepEqual(node.did, [...LEAVES, 'hand back all', ...GOES]);
  });

  it('with nothing in hand waits but a moment for a coordinator that does not say that it has heard', async () => {
    node.settled = false;
    const tookMs = await node.leaves(10 * limits.goodbyeMsMax);
    assert.ok(tookMs >= limits.goodbyeMsMax - 1 && tookMs < limits.goodbyeMsMax + AT_ONCE_MS, `it took ${tookMs} ms`);
    assert.deepEqual(node.did, [...LEAVES, ...GOES]);
  });

  it('stays with what came to it in that moment', async () => {
    node.settled = false;
    setTimeout(() => Object.assign(node, { idle: false }), limits.goodbyeMsMax / 2);
    setTimeout(() => Object.assign(node, { idle: true, settled: true }), 1.5 * limits.goodbyeMsMax);
    const tookMs = await node.leaves(10 * limits.goodbyeMsMax);
    assert.ok(tookMs >= 1.5 * limits.goodbyeMsMax - 1, `it took ${tookMs} ms`);
  });

  it('stays for the word on what it had when it was told, though nothing is left to see of that', async () => {
    node.settled = false;
    node.idle = false;
    setTimeout(() => Object.assign(node, { idle: true }), limits.goodbyeMsMax / 2);
    const finishMs = 1.5 * limits.goodbyeMsMax;
    setTimeout(() => Object.assign(node, { settled: true }), finishMs);
    const tookMs = await node.leaves(10 * limits.goodbyeMsMax);
    assert.ok(tookMs >= finishMs - 1, `it took ${tookMs} ms`);
  });

  it('goes all the same where that cannot be told, and says so', async () => {
    node.settled = false;
    node.pendingBytes = 8;
    node.connected = false;
    node.hearsGoodbye = false;
    const tookMs = await node.leaves(0);
    const mostMs = limits.handBackMsMax + 2 * limits.goodbyeMsMax;
    assert.ok(tookMs >= limits.handBackMsMax && tookMs < mostMs + AT_ONCE_MS, `it took ${tookMs} ms`);
    assert.deepEqual(node.did, [...LEAVES, 'hand back all', 'warn', ...GOES]);
  });

  it('gives a coordinator that remembers it a moment to be there to hear of it', async () => {
    node.connected = false;
    setTimeout(() => {
      node.connected = true;
    }, limits.goodbyeMsMax / 2);
    const tookMs = await node.leaves();
    assert.ok(tookMs >= limits.goodbyeMsMax / 2 - 1 && tookMs < limits.goodbyeMsMax, `it took ${tookMs} ms`);
  });

  it('waits for none that would not know it', async () => {
    node.connected = node.durable = false;
    const tookMs = await node.leaves();
    assert.ok(tookMs < AT_ONCE_MS, `it took ${tookMs} ms`);
  });
});
