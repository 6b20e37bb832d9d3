/** How option values are read: one parser a kind, each with an error that says what to give. */
import { accessSync, constants, statSync } from 'node:fs';
import { messageOf } from '@regatta/kernel';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { limits } from '../engine/limits.ts';
import { limits as cliLimits } from './limits.ts';
import { tokenFileOption } from './token.ts';

/** A whole number within bounds; digits may be grouped with underscores. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^-?\d+(?:_\d+)*$|^-?\d+e\d+$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
  };

/** A number within bounds, with or without parts. */
export const positiveNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^\d+(?:_\d+)*(?:\.\d+)?$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a number from ${min} to ${max}.`);
  };

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** "500ms", "5s", "1.5m", "2h"; a bare number is seconds. @returns ms */
export function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(number) * UNITS_MS[unit ?? 's']!;
  if (ms > 0 && ms <= limits.durationMsMax) return ms;
  throw new InvalidArgumentError('Give a time such as 500ms, 5s, 2m or 1h, up to 24 days.');
}

function hostAndPort(text: string): string {
  const port = Number(/^.+:(\d{1,5})$/.exec(text)?.[1]);
  if (port >= 1 && port <= 65_535) return text;
  throw new InvalidArgumentError('Give HOST:PORT, with a port from 1 to 65535.');
}

export const listenAddress = (text: string): string => (/^.+:0$/.test(text) ? text : hostAndPort(text));

export function writableFolder(path: string): string {
  try {
    if (!statSync(path).isDirectory()) throw new Error('it is no folder');
    accessSync(path, constants.W_OK);
    return path;
  } catch (thrown) {
    throw new InvalidArgumentError(`Give a folder that can be written to (${messageOf(thrown)}).`);
  }
}

/** Gathers `--set name=value`, given any number of times. */
export function setting(text: string, before: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Give name=value, for example --set count=100.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** "A:1,B:2": those of one cluster. */
function coordinators(text: string): string[] {
  const addresses = text.split(',');
  if (addresses.length > cliLimits.coordinatorsMax) {
    throw new InvalidArgumentError(`Give at most ${cliLimits.coordinatorsMax} addresses.`);
  }
  return addresses.map((address) => {
    if (/[\s,]/.test(address)) throw new InvalidArgumentError('Give HOST:PORT[,HOST:PORT...], without spaces.');
    return hostAndPort(address);
  });
}

const coordinatorOption = (): Option =>
  new Option('--coordinator <host:port,...>', 'the coordinator to talk to; all of them, where there are several')
    .env('REGATTA_COORDINATOR')
    .argParser(coordinators);

/** One that both services have, as the package says that knows what it is about. */
export const optionOf = (one: { readonly flags: string; readonly text: string; readonly env: string }): Option =>
  new Option(one.flags, one.text).env(one.env);

export const jsonOption = (): Option => new Option('--json', 'print one JSON object, and nothing else, on stdout');

/** Options that every command with a cluster has. */
export const clusterCommand = (command: Command): Command =>
  command
    .addOption(coordinatorOption())
    .addOption(tokenFileOption('the token that the coordinator wants'))
    .addOption(jsonOption());

/** Help's last words. */
export const example = (command: Command, ...lines: string[]): Command =>
  command.addHelpText(
    'after',
    `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );
