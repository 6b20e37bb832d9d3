import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeView } from '../cli/render/testing/views.ts';
import { limits } from './limits.ts';
import { judgeLost } from './lost-nodes.ts';

const NOW = 1_000_000;
const lost = (id: string, agoMs: number) => nodeView({ id, state: 'lost', lastSeenMs: NOW - agoMs });

describe('a node that is lost', () => {
  it('is warned of by its name, with when and where it was last heard and what to do', () => {
    const [found, ...more] = judgeLost([nodeView({ id: 'here' }), lost('gone', 12_000)], NOW);
    assert.deepEqual([found?.group, found?.name, found?.level, more.length], ['nodes', 'gone', 'warning', 0]);
    assert.equal(found!.what, 'lost; last heard 12 s ago, from 127.0.0.1:1 (h)');
    assert.match(found!.mend!, /^start it again; .* forgotten it$/);
  });

  it('is not a node that drains, or has drained', () => {
    assert.deepEqual(judgeLost([nodeView({ state: 'draining' }), nodeView({ state: 'drained' })], NOW), []);
  });

  it('is one of those that are only counted, where many were lost after it', () => {
    const many = Array.from({ length: limits.lostShownMax + 2 }, (_, i) => lost(`n${i}`, 100_000 - i));
    const found = judgeLost(many, NOW);
    assert.equal(found.length, limits.lostShownMax + 1);
    assert.equal(found[0]!.name, many.at(-1)!.id);
    assert.deepEqual([found.at(-1)!.level, found.at(-1)!.what], ['warning', '2 more are lost, last heard before']);
  });
});
