/** Where NATS is and who to be there, as `serve` and `doctor` are told. */
import { natsOptions } from '@regatta/broker';
import type { Command } from 'commander';
import { optionOf } from './options.ts';

/** @param what the servers are for */
export function addNatsOptions(command: Command, what: string): Command {
  for (const option of natsOptions(what)) command.addOption(optionOf(option));
  return command;
}
