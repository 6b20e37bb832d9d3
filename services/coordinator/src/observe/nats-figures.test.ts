import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Broker } from '@regatta/broker';
import { startNats } from '@regatta/broker/testing';
import { Registry } from '@regatta/observe';
import { limits } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { NatsFigures } from './nats-figures.ts';

it('while NATS stands still a scrape is held up for its time only, and says that it knows nothing', async () => {
  await using nats = await startNats();
  const broker = new Broker({ servers: [nats.url], name: 'nats-figures.test' });
  try {
    await broker.connected();
    const metrics = createMetrics(new Registry());
    const figures = new NatsFigures(metrics, broker, undefined);
    nats.pause();
    const startedAt = performance.now();
    await figures.read(true);
    const ms = performance.now() - startedAt;
    assert.ok(ms < limits.natsWaitMs + 500, `${ms} ms`);
    const scrape = await metrics.natsScrape.get();
    assert.deepEqual(scrape.values, [{ value: 0, labels: { part: 'streams' } }]);
    assert.deepEqual((await metrics.streamMessages.get()).values, []);
    nats.resume();
  } finally {
    await broker.close();
  }
});

it('who does not lead tells nothing of it', async () => {
  const metrics = createMetrics(new Registry());
  await new NatsFigures(metrics, undefined, 'http://127.0.0.1:1').read(false);
  assert.deepEqual((await metrics.natsScrape.get()).values, []);
});
