import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '@regatta/kernel';
import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { limits } from '../limits.ts';
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
  example(command, 'regatta nodes', 'regatta nodes drain rack1-a', 'regatta nodes resume rack1-a');
  addDrain(command);
  addResume(command);
}

function addDrain(nodes: Command): void {
  const command = clusterCommand(nodes.command('drain'))
    .argument('<node>', 'see regatta nodes')
    .description('give a node no more work, and wait until it has none')
    .option('--hand-back', 'let others finish what it works on, at once')
    .option('--no-wait', 'do not wait until it has none')
    .action((node: string, _own: object, self: Command) => {
      // With those of `nodes`, which takes --coordinator and --json for itself wherever they stand.
      const options = self.optsWithGlobals<ClusterOptions & DrainOptions>();
      return withCluster(options, async (client) => {
        let view = await client.drain(node, options.handBack === true);
        if (options.wait) view = await untilDrained(client, view);
        if (options.json) return printJson(view);
        if (view.state === 'lost') return print(`${node} was lost; what it had goes elsewhere.`);
        const chunks = counted(view.busyLanes, 'lane');
        const how = view.state === 'drained' ? 'has no work left' : `is draining, with ${chunks} busy`;
        print(`${node} ${how}; regatta nodes resume ${node} gives it work again.`);
      });
    });
  example(command, 'regatta nodes drain rack1-a', 'regatta nodes drain rack1-a --hand-back');
}

function addResume(nodes: Command): void {
  const command = clusterCommand(nodes.command('resume'))
    .argument('<node>', 'see regatta nodes')
    .description('give a drained node work again')
    .action((node: string, _own: object, self: Command) => {
      const options = self.optsWithGlobals<ClusterOptions & { json?: boolean }>();
      return withCluster(options, async (client) => {
        const view = await client.resume(node);
        if (options.json) printJson(view);
        else print(`${node} gets work again.`);
      });
    });
  example(command, 'regatta nodes resume rack1-a');
}

interface DrainOptions {
  readonly json?: boolean;
  readonly handBack?: boolean;
  readonly wait: boolean;
}

async function untilDrained(client: Client, node: NodeView): Promise<NodeView> {
  let view: NodeView | undefined = node;
  while (view?.state === 'draining') {
    await sleep(limits.drainPollMs);
    view = (await client.nodes()).find(({ id }) => id === node.id);
  }
  return view ?? { ...node, state: 'lost' };
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
