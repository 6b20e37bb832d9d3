import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultModel, modelNames, shapeOf, type Widths } from './models.ts';

const lanes = (kind: 'cpu' | 'io') =>
  modelNames.map((model) => `${model} ${Object.values(shapeOf(model, kind, {})).join('×')}`);

describe('with no widths given', () => {
  it('leaves to the node what a model can vary', () => {
    assert.deepEqual(lanes('cpu'), ['serial 1×1×1', 'async 1×1×2', 'threads 1×0×1', 'processes 0×1×1', 'hybrid 0×0×2']);
  });

  it('has many tasks in flight where work waits', () => {
    assert.deepEqual([shapeOf('async', 'io', {}).concurrency, shapeOf('hybrid', 'io', {}).concurrency], [64, 64]);
    assert.equal(shapeOf('threads', 'io', {}).concurrency, 1);
  });

  it('takes processes for work that computes and async for work that waits', () => {
    assert.deepEqual([defaultModel('cpu'), defaultModel('io')], ['processes', 'async']);
  });
});

describe('with widths given', () => {
  it('puts them in the shape', () => {
    assert.deepEqual(shapeOf('threads', 'cpu', { threads: 3 }), { processes: 1, threads: 3, concurrency: 1 });
    const widths = { processes: 2, threads: 3, concurrency: 4 };
    assert.deepEqual(shapeOf('hybrid', 'cpu', widths), widths);
  });

  it('takes one that the model has anyway', () => {
    assert.deepEqual(shapeOf('serial', 'cpu', { processes: 1 }), { processes: 1, threads: 1, concurrency: 1 });
  });

  const odd: [(typeof modelNames)[number], Widths, string][] = [
    [
      'serial',
      { concurrency: 2 },
      '--concurrency 2 does not go with --model serial: there it is 1; use --model hybrid',
    ],
    ['async', { threads: 2 }, '--threads 2 does not go with --model async: there it is 1; use --model hybrid'],
    ['threads', { processes: 2 }, '--processes 2 does not go with --model threads: there it is 1; use --model hybrid'],
    ['processes', { threads: 4 }, '--threads 4 does not go with --model processes: there it is 1; use --model hybrid'],
  ];
  for (const [model, widths, message] of odd) {
    it(`refuses ${JSON.stringify(widths)} for ${model}, and names the model that has it`, () => {
      assert.throws(() => shapeOf(model, 'cpu', widths), { name: 'RegattaError', code: 'BAD_SHAPE', message });
    });
  }
});
