/** Metrics that no board and no alert asks for, and why they are told all the same. Nothing else may go unused. */

const BY_COORDINATOR = 'the coordinator tells the same of all nodes; here for whoever looks at one node by itself';
const ONE_IS_ENOUGH = 'boards and alerts ask for the p99; the others are there for whoever looks closer';
const COMES_WITH_NODE = 'comes with prom-client’s default metrics; for whoever looks for a leak';

export const UNUSED: Readonly<Record<string, string>> = {
  nodejs_active_handles: COMES_WITH_NODE,
  nodejs_active_requests: COMES_WITH_NODE,
  nodejs_active_resources: COMES_WITH_NODE,
  nodejs_eventloop_lag_max_seconds: ONE_IS_ENOUGH,
  nodejs_eventloop_lag_mean_seconds: ONE_IS_ENOUGH,
  nodejs_eventloop_lag_min_seconds: ONE_IS_ENOUGH,
  nodejs_eventloop_lag_p50_seconds: ONE_IS_ENOUGH,
  nodejs_eventloop_lag_p90_seconds: ONE_IS_ENOUGH,
  nodejs_eventloop_lag_seconds: ONE_IS_ENOUGH,
  nodejs_eventloop_lag_stddev_seconds: ONE_IS_ENOUGH,
  nodejs_external_memory_bytes: COMES_WITH_NODE,
  nodejs_heap_size_total_bytes: COMES_WITH_NODE,
  nodejs_heap_space_size_available_bytes: COMES_WITH_NODE,
  nodejs_heap_space_size_total_bytes: COMES_WITH_NODE,
  nodejs_heap_space_size_used_bytes: COMES_WITH_NODE,
  nodejs_version_info: 'regatta_node_info and `regatta nodes` have the runtime of each node',
  process_cpu_system_seconds_total: 'process_cpu_seconds_total is the sum of both',
  process_cpu_user_seconds_total: 'process_cpu_seconds_total is the sum of both',
  process_heap_bytes: COMES_WITH_NODE,
  process_virtual_memory_bytes: 'V8 reserves far more than it uses: the figure means nothing',
  regatta_agent_chunks_taken_total: 'regatta_agent_chunks_total and those that wait are the same, a moment later',
  regatta_agent_lanes_busy: BY_COORDINATOR,
  regatta_agent_link_joins_total: BY_COORDINATOR,
  regatta_agent_quota_cores: BY_COORDINATOR,
  regatta_agent_quota_limited:
    'it is the comparison of cores and quota, which the board of nodes shows beside each other',
  regatta_connections: 'nodes are shown by themselves; for whoever looks where file descriptors went',
  regatta_connections_closed_total: 'the log has addresses and says why; who has a token does not notice',
  regatta_jetstream_stream_messages: 'bytes say what a stream costs, pending and in hand what waits in it',
  regatta_journal_snapshots_total: 'the bytes of snapshots show when there was one',
  regatta_runs_kept: 'it is bounded; what runs that are kept cost is shown in bytes',
  regatta_tasks_submitted_total: 'the sum of ended, waiting and running tasks; regatta_tasks_unaccounted compares them',
};
