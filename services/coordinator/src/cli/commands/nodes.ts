import type { Command } from 'commander';
import { clusterCommand, example } from '../options.ts';
import { print, printJson } from '../output.ts';
import { bytes, milliseconds } from '../render/format.ts';
import { table } from '../render/table.ts';
import { type ClusterOptions, withCluster } from '../session.ts';
import type { NodeView } from '../views.ts';

export function addNodesCommand(program: Command): void {
  const command = clusterCommand(program.command('nodes'))
    .description('the nodes: their cores, by the system and by quota, and what they do')
    .action((options: ClusterOptions & { json?: boolean }) =>
      withCluster(options, async (client) => {
        const nodes = await client.nodes();
        if (options.json) printJson(nodes);
        else print(nodes.length === 0 ? 'No node has connected yet.' : nodesTable(nodes));
      }),
    );
  example(command, 'regatta nodes');
}

export const nodesTable = (nodes: readonly NodeView[]): string =>
  table(
    [
      { head: 'node', cell: (n) => n.id },
      { head: 'state', cell: (n) => n.state },
      { head: 'host', cell: (n) => n.hostname },
      { head: 'pid', cell: (n) => String(n.pid), align: 'right' },
      { head: 'os cores', cell: (n) => String(n.osCores), align: 'right' },
      { head: 'quota', cell: (n) => (n.quotaLimited ? n.quota.toFixed(2) : `${n.quota} (no limit)`), align: 'right' },
      { head: 'cores used', cell: (n) => String(n.cores), align: 'right' },
      { head: 'lanes busy', cell: (n) => `${n.busyLanes}/${n.lanes}`, align: 'right' },
      { head: 'hosts', cell: (n) => String(n.hosts), align: 'right' },
      { head: 'agent memory', cell: (n) => bytes(n.rssBytes), align: 'right' },
      { head: 'throttled', cell: (n) => milliseconds(n.throttledMs), align: 'right' },
    ],
    nodes,
  );
