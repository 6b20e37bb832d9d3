/** How boards lead to one another, keeping the time that is shown and what is chosen. */

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { type DashboardLink, DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';
import { filledIn } from './query.ts';

/** What all boards carry, and the row of links at the top of each gathers. */
export const TAG = 'regatta';

export const UIDS = {
  overview: 'regatta-overview',
  run: 'regatta-run',
  race: 'regatta-race',
  nodes: 'regatta-nodes',
  nats: 'regatta-nats',
} as const;

export const toAllBoards = (): Builder<DashboardLink> =>
  new DashboardLinkBuilder('Boards')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .asDropdown(false)
    .includeVars(true)
    .keepTime(true)
    .targetBlank(false)
    .icon('external link');

const KEPT = `${filledIn('__url_time_range')}&${filledIn('datasource:queryparam')}`;

/** From a series to the node that it is of. */
export const toNode = (): Builder<DashboardLink> =>
  to('Look at this node', UIDS.nodes, 'node', filledIn('__field.labels.node'));

/** From the name of a run, as a table has it, to the run. */
export const toRun = (): Builder<DashboardLink> => to('Look at this run', UIDS.run, 'run', filledIn('__value.raw'));

const to = (title: string, uid: string, variable: string, value: string): Builder<DashboardLink> =>
  new DashboardLinkBuilder(title).url(`/d/${uid}?${KEPT}&var-${variable}=${value}`).targetBlank(false);
