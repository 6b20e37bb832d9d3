/** Where NATS is and who to be there, as `serve` and `doctor` are told. */
import { type Command, Option } from 'commander';

/** @param what the servers are for */
export const addNatsOptions = (command: Command, what: string): Command =>
  command
    .addOption(new Option('--nats <url,...>', what).env('REGATTA_NATS'))
    .addOption(new Option('--nats-user <name>', 'who to be there').env('REGATTA_NATS_USER'))
    .addOption(
      new Option('--nats-password-file <file>', 'that holds the password of that user').env(
        'REGATTA_NATS_PASSWORD_FILE',
      ),
    )
    .addOption(
      new Option('--nats-token-file <file>', 'that holds a token, where NATS asks for one instead').env(
        'REGATTA_NATS_TOKEN_FILE',
      ),
    );
