/**
 * Tasks that misbehave on purpose, each way that user code can, to try what Regatta does about it.
 *
 * In: `count` tasks. The one at `at`, or each n-th where `every` is n > 0, does what `how` says on each attempt; the
 * ways are in faults.ts. The others wait for `workMs`. Out of a task: its index, or `bytes` bytes from one told to be
 * `large`. Combined: how many tasks gave a result, and how many of those were meant to misbehave: to do harm and yet to
 * succeed is what some of the ways are about.
 */
import { setTimeout } from 'node:timers/promises';
import { RegattaError } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';
import { faults } from './faults.ts';

const choices = Object.keys(faults).join(', ');

export const faulty = defineWorkload({
  name: 'faulty',
  kind: 'cpu',
  summary: 'Tasks that throw, crash, hang, leak or flood as they are told to, to try what becomes of the rest',
  parameters: {
    count: { default: 20, description: 'how many tasks', unit: 'tasks', min: 1, max: 10_000_000, integer: true },
    how: { default: 'throw', description: `what a misbehaving task does: ${choices}` },
    at: { default: 7, description: 'index of the task that misbehaves', min: 0, max: 10_000_000, integer: true },
    every: {
      default: 0,
      description: 'with n above 0, every n-th task misbehaves instead of that one',
      unit: 'tasks',
      min: 0,
      max: 10_000_000,
      integer: true,
    },
    workMs: { default: 5, description: 'waiting in each other task', unit: 'ms', min: 0, max: 600_000 },
    bytes: {
      default: 50 * 2 ** 20,
      description: 'what a task leaks, or gives when it is to be large',
      unit: 'bytes',
      min: 0,
      max: 2 ** 34,
      integer: true,
    },
  },
  tasks({ count, how }) {
    if (!Object.hasOwn(faults, how)) {
      throw new RegattaError('BAD_PARAMETER', `faulty: how is ${JSON.stringify(how)}; give one of: ${choices}`);
    }
    return count;
  },
  run({ how, at, every, workMs, bytes }, { task, signal }) {
    if (misbehaves(task, at, every)) return faults[how]!(task, bytes);
    return workMs === 0 ? task : setTimeout(workMs, task, { signal });
  },
  combine(results, { at, every }) {
    let tasks = 0;
    let misbehaved = 0;
    for (const { task } of results) {
      tasks++;
      if (misbehaves(task, at, every)) misbehaved++;
    }
    return { tasks, misbehaved };
  },
});

const misbehaves = (task: number, at: number, every: number): boolean =>
  every > 0 ? (task + 1) % every === 0 : task === at;
