import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StepClock } from './step-clock.ts';

describe('a step clock', () => {
  it('is at zero before the first step', () => {
    const { steps, meanUs, longestUs } = new StepClock();
    assert.deepEqual([steps, meanUs, longestUs], [0, 0, 0]);
  });

  it('tells how many steps there were, their mean and the longest, in microseconds', () => {
    const clock = new StepClock();
    for (const ms of [0.5, 4, 1.5]) clock.add(ms);
    assert.deepEqual([clock.steps, clock.meanUs, clock.longestUs], [3, 2000, 4000]);
  });
});
