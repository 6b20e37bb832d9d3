/** Where NATS is and who to be there, as `serve` and `doctor` are told. */
import { hasCredentials, natsOptions, resolveNats } from '@regatta/broker';
import { RegattaError } from '@regatta/kernel';
import { type Command, Option } from 'commander';
import { optionOf } from './options.ts';

/** @param what the servers are for */
export function addNatsOptions(command: Command, what: string): Command {
  for (const option of natsOptions(what)) command.addOption(optionOf(option));
  return command;
}

export const advertiseNatsOption = (): Option =>
  new Option(
    '--advertise-nats <url,...>',
    'where nodes that are not told otherwise reach that NATS, if not by the addresses of --nats',
  ).env('REGATTA_ADVERTISE_NATS');

/** An address to listen on, and none to dial. */
const ANYWHERE = /^(tls:\/\/)?(0\.0\.0\.0|\[::\]):/;

/**
 * Not by a parser of Commander's: its refusal repeats what was given, and that may hold a password.
 * @param hasNats whether there is one to tell of
 * @returns HOST:PORT, or tls://HOST:PORT, each; undefined where nothing is given
 * @throws RegattaError BAD_NATS in one line
 */
export function advertisedNats(text: string | undefined, hasNats: boolean): readonly string[] | undefined {
  if (!text) return undefined;
  if (!hasNats) throw bad('tells nodes of a NATS that this coordinator does not use; give --nats as well');
  const site = siteIn(text);
  if (hasCredentials(site)) throw bad('is told to every node, and must have no user, password or token in it');
  const servers = site.servers.map((server) => server.replace(/^nats:\/\//, ''));
  const nowhere = servers.find((server) => ANYWHERE.test(server));
  if (nowhere !== undefined) throw bad(`has ${nowhere}, which no other host can dial; give an address of this one`);
  return servers;
}

function siteIn(nats: string) {
  try {
    return resolveNats({ nats })!;
  } catch {
    throw bad('must be nats://HOST:PORT, more of them with commas');
  }
}

const bad = (what: string): RegattaError => new RegattaError('BAD_NATS', `--advertise-nats ${what}`);
