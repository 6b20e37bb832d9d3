/** The `regatta` command: every subcommand, wired up. */
import { Command } from 'commander';
import { addClusterCommands } from './commands/cluster.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addNodesCommand } from './commands/nodes.ts';
import { addRaceCommand } from './commands/race.ts';
import { addReplayCommand } from './commands/replay.ts';
import { addRunCommand } from './commands/run.ts';
import { addRunsCommands } from './commands/runs.ts';
import { addTargetCommand } from './commands/target.ts';
import { addWorkloadsCommand } from './commands/workloads.ts';
import { exitCode } from './exit.ts';

export function buildProgram(version: string, interrupted: AbortSignal): Command {
  const program = new Command('regatta')
    .description('Race the concurrency models on real hosts, and run the work under the one that wins')
    .version(version)
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCode.succeeded : exitCode.badUsage));
  addDemoCommand(program, interrupted);
  addRaceCommand(program, interrupted);
  addRunCommand(program, interrupted);
  addRunsCommands(program);
  addReplayCommand(program);
  addNodesCommand(program);
  addWorkloadsCommand(program);
  addTargetCommand(program, interrupted);
  addClusterCommands(program, version, interrupted);
  addDoctorCommand(program, version);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** Commander's error and its suggestion, in one line. */
const oneLine = (text: string): string =>
  text.replace(/^error: /, 'regatta: ').replace(/\.?\s*\(Did you mean (.*)\?\)\s*$/s, '; did you mean $1?\n');
