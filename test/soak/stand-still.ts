/** A process that is made to stand still for a while, by another one: it goes on even where this one is killed meanwhile. */
import { type ChildProcess, spawn } from 'node:child_process';

/** @returns who stops it, and ends once it goes on */
export function standStill(pid: number, ms: number): ChildProcess {
  const script = 'kill -STOP "$1" && sleep "$2"; kill -CONT "$1"';
  return spawn('/bin/sh', ['-c', script, 'sh', String(pid), String(ms / 1000)], { stdio: 'ignore' });
}
