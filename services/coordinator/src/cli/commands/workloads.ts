import { builtinWorkloads, type Parameter } from '@regatta/workloads';
import type { Command } from 'commander';
import { findCluster } from '../../embedded/cluster.ts';
import { clusterCommand, example } from '../options.ts';
import { print, printJson } from '../output.ts';
import { type ClusterOptions, withCluster } from '../session.ts';
import type { WorkloadView } from '../views.ts';

export function addWorkloadsCommand(program: Command): void {
  const command = clusterCommand(program.command('workloads'))
    .description('what can be run, and the inputs that --set takes')
    .action(async (options: ClusterOptions & { json?: boolean }) => {
      const asked = options.coordinator !== undefined || findCluster() !== undefined;
      const workloads = asked ? await withCluster(options, (client) => client.workloads()) : builtins();
      if (options.json) printJson(workloads);
      else print(workloads.map(describe).join('\n'));
    });
  example(command, 'regatta workloads');
}

/** With no cluster to ask: what every node-agent of this version offers. */
const builtins = (): WorkloadView[] =>
  builtinWorkloads.map(({ name, kind, summary, parameters }) => ({
    name,
    kind,
    summary,
    parameters: Object.entries(parameters as Readonly<Record<string, Parameter>>).map(([key, parameter]) => ({
      name: key,
      type: typeof parameter.default,
      default: parameter.default,
      unit: parameter.unit ?? '',
      description: parameter.description,
    })),
  }));

function describe({ name, kind, summary, parameters }: WorkloadView): string {
  const width = Math.max(0, ...parameters.map((p) => `${p.name}=${p.default}`.length));
  const lines = parameters.map((p) => {
    const unit = p.unit === '' ? '' : ` (${p.unit})`;
    return `    ${`${p.name}=${p.default}`.padEnd(width)}  ${p.description}${unit}\n`;
  });
  return `${name} (${kind}): ${summary}\n${lines.join('')}`;
}
