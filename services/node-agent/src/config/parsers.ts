/** How option values are read: one parser a kind, each with an error that says what to give. */
import { InvalidArgumentError } from 'commander';
import { limits } from '../limits.ts';

const HOST_MEMORY_LEAST_MIB = limits.hostMemorySettableBytesMin / 2 ** 20;

const WANTED = 'Give HOST:PORT, with a port from 1 to 65535';

export function hostsAndPorts(text: string): string[] {
  return text.split(',').map((one) => oneAddress(one.trim(), `${WANTED}; more of them with commas.`));
}

/** Empty for none. */
export const hostAndPort = (text: string): string => (text === '' ? text : oneAddress(text, `${WANTED}.`));

/** The same, or port 0. */
export const listenAddress = (text: string): string =>
  text === '' || /^[^,]+:0$/.test(text) ? text : oneAddress(text, `${WANTED}, or 0 for any free one.`);

function oneAddress(text: string, wanted: string): string {
  const port = Number(/^[^,]+:(\d{1,5})$/.exec(text)?.[1]);
  if (port >= 1 && port <= 65_535) return text;
  throw new InvalidArgumentError(wanted);
}

/** Nothing for one that is made up. */
export function nodeId(text: string): string | undefined {
  if (text === '') return undefined;
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('Use 1 to 63 letters, digits, dots, hyphens and underscores.');
}

export function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= limits.coresMax) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${limits.coresMax}.`);
}

export function taskCount(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isInteger(value) && value >= 1 && value <= limits.hostTasksSettableMax) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${limits.hostTasksSettableMax}.`);
}

export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= limits.drainSettableSMax) return value;
  throw new InvalidArgumentError(`Give seconds, from 0 to ${limits.drainSettableSMax}.`);
}

/** In bytes. */
export function memorySize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*(MiB|GiB)$/i.exec(text) ?? [];
  const mebibytes = Number(digits) * (unit?.toLowerCase() === 'gib' ? 1024 : 1);
  if (mebibytes >= HOST_MEMORY_LEAST_MIB) return Math.floor(mebibytes * 2 ** 20);
  throw new InvalidArgumentError(`Give a size such as 512MiB or 2GiB, at least ${HOST_MEMORY_LEAST_MIB}MiB.`);
}
