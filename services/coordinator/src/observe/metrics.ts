/**
 * All that a coordinator tells of itself, of runs and of its nodes, one line a metric. What is told by model is told for
 * those of `modelNames`, any other being `other`; a run's id is a label of gauges only, and only while the run goes on.
 */
import { familiesIn, innerScale, type Registry, runScale } from '@regatta/observe';

export type Metrics = ReturnType<typeof createMetrics>;

/** By what the work of runs is told apart. */
const WORK = ['model', 'transport'] as const;

/** @throws Error where the registry has them already */
export function createMetrics(registry: Registry) {
  const { counter, gauge, histogram } = familiesIn(registry);
  return {
    buildInfo: gauge('regatta_build_info', 'Always 1; which service and version this is', ['service', 'version']),

    tasksSubmitted: counter('regatta_tasks_submitted_total', 'Tasks of the runs that were submitted', WORK),
    tasks: counter('regatta_tasks_total', 'Tasks that ended: succeeded, failed, cancelled', [...WORK, 'outcome']),
    chunks: counter('regatta_chunks_total', 'Attempts at chunks that ended: completed, stopped, lost', [
      ...WORK,
      'outcome',
    ]),
    attempts: counter(
      'regatta_attempts_total',
      'Attempts at chunks that were handed out, second copies included',
      WORK,
    ),
    copies: counter(
      'regatta_speculative_copies_total',
      'Chunks that were given to a second node while the first was at work on them',
      WORK,
    ),
    copiesWon: counter('regatta_speculative_copies_won_total', 'Of those, that the second node ended first', WORK),
    retries: counter('regatta_task_retries_total', 'Tasks to be tried again: failed, lost, let-go', [
      ...WORK,
      'reason',
    ]),
    ignored: counter('regatta_results_ignored_total', 'Reports of late, fenced or duplicate results, ignored', [
      ...WORK,
      'reason',
    ]),
    poison: counter('regatta_poison_tasks_total', 'Tasks given up because what ran them died of them', [
      ...WORK,
      'reason',
    ]),
    lateFailures: counter('regatta_late_failures_total', 'Failures that came after the result of their task', WORK),
    taskCpu: counter('regatta_task_cpu_seconds_total', 'CPU time of lanes at work', WORK),
    resultBytes: counter('regatta_result_bytes_total', 'Results, as encoded', WORK),
    taskDuration: histogram('regatta_task_duration_seconds', 'Wall time of each task', WORK),
    chunkWait: histogram('regatta_chunk_wait_seconds', 'Time that a chunk waited on its node for a lane', WORK),
    dispatch: histogram(
      'regatta_chunk_dispatch_seconds',
      'Time of a chunk between coordinator and node, both ways',
      WORK,
    ),
    serialization: histogram(
      'regatta_serialization_seconds',
      'Time to encode results and decode inputs, a report',
      WORK,
    ),
    stall: histogram('regatta_work_stall_seconds', 'Longest block of the event loop beside the work, a report', WORK),
    tasksPending: gauge('regatta_tasks_pending', 'Tasks that wait to be handed out', WORK),
    tasksInFlight: gauge('regatta_tasks_in_flight', 'Tasks that were handed out and have not ended', WORK),
    unaccounted: gauge(
      'regatta_tasks_unaccounted',
      'Tasks submitted less ended, pending and in flight; anything but 0 is a bug',
    ),

    runsSubmitted: counter('regatta_runs_submitted_total', 'Runs that were submitted', WORK),
    runs: counter('regatta_runs_total', 'Runs that ended: succeeded, failed, cancelled', [...WORK, 'outcome']),
    runDuration: histogram('regatta_run_duration_seconds', 'From the submission of a run to its end', WORK, runScale),
    runsActive: gauge('regatta_runs_active', 'Runs that go on: waiting, running, stopping', ['state']),
    runsKept: gauge('regatta_runs_kept', 'Runs that are remembered, those that go on included'),
    runStalls: counter('regatta_run_stalls_total', 'Times that a run was found to get nowhere'),
    runInfo: gauge('regatta_run_info', 'Always 1; what a run is, while it goes on', [
      'run',
      'workload',
      ...WORK,
      'policy',
    ]),
    runTasks: gauge('regatta_run_tasks', 'Tasks of a run: succeeded, failed, cancelled, in-flight, pending', [
      'run',
      'state',
    ]),
    runNodeTasks: gauge('regatta_run_node_tasks', 'Tasks of a run that a node has ended', ['run', 'node']),
    runSubmitted: gauge('regatta_run_submitted_timestamp_seconds', 'When a run that goes on was submitted', ['run']),
    runCpu: gauge('regatta_run_cpu_seconds', 'CPU time of a run so far', ['run']),
    runMemory: gauge('regatta_run_host_rss_bytes', 'Sum of the largest resident memory of each host process of a run', [
      'run',
    ]),
    runSlowest: gauge('regatta_run_slowest_task_seconds', 'The longest task of a run so far, and where it ran', [
      'run',
      'node',
    ]),
    runRetries: gauge('regatta_run_retries', 'Tasks of a run that were tried again because they failed', ['run']),

    keptMemory: gauge('regatta_kept_memory_bytes', 'Results and inputs in memory'),
    keptDisk: gauge('regatta_kept_disk_bytes', 'Results and inputs on disk'),
    step: histogram('regatta_scheduler_step_seconds', 'Time of a step of the scheduler', [], innerScale),

    nodes: gauge('regatta_nodes', 'Nodes: alive, draining, drained, awaited, and lost ones still remembered', [
      'state',
    ]),
    nodeJoins: counter('regatta_node_joins_total', 'Nodes that joined or came back'),
    nodeLosses: counter('regatta_node_losses_total', 'Nodes that were lost'),
    nodeLeaves: counter('regatta_node_leaves_total', 'Nodes that left on purpose'),
    nodesRefused: counter('regatta_nodes_refused_total', 'Nodes that were refused', ['reason']),
    nodeInfo: gauge('regatta_node_info', 'Always 1; who a connected node is', [
      'node',
      'version',
      'runtime',
      'machine',
      'state',
    ]),
    nodeCores: gauge('regatta_node_cores', 'Cores that a node may use', ['node']),
    nodeQuota: gauge('regatta_node_quota_cores', 'Cores that the CPU quota of a node allows', ['node']),
    nodeLanes: gauge('regatta_node_lanes', 'Lanes of a node: of its widest run, its cores at least', ['node']),
    nodeLanesBusy: gauge('regatta_node_lanes_busy', 'Lanes of a node that have a chunk', ['node']),
    nodeChunks: gauge('regatta_node_chunks', 'Chunks that a node holds, those that it pulled included', ['node']),
    nodeHosts: gauge('regatta_node_hosts', 'Host processes of a node', ['node']),
    nodeMemory: gauge('regatta_node_rss_bytes', 'Resident memory of a node-agent without its host processes', ['node']),
    nodeThrottled: counter(
      'regatta_node_throttled_seconds_total',
      'Time that a CPU quota held a node back since it started, as it last told',
      ['node'],
    ),
    nodeSilence: gauge('regatta_node_silence_seconds', 'Time since a node was last heard', ['node']),
    tokensRefused: counter(
      'regatta_refused_tokens_total',
      'Calls with a wrong or missing token, by the door: grpc wants the join token, metrics that of metrics',
      ['door', 'reason'],
    ),
    connections: gauge('regatta_connections', 'Connections of nodes and clients'),
    connectionsClosed: counter(
      'regatta_connections_closed_total',
      'Connections without a call that was let in that were closed to make room',
    ),

    leadership: gauge(
      'regatta_leadership',
      '1 for the role that this coordinator has: leading, uncertain, standing-by, idle',
      ['role'],
    ),
    leadershipTerm: gauge(
      'regatta_leadership_term',
      'Number of the term that this coordinator leads; 0 while it does not',
    ),
    leadershipChanges: counter('regatta_leadership_changes_total', 'Times that this coordinator took up a role', [
      'role',
    ]),
    takeOver: gauge(
      'regatta_take_over_seconds',
      'Time that reading the journal took when this coordinator last took over',
    ),

    journalWrite: histogram(
      'regatta_journal_write_seconds',
      'From the writing of steps to the journal to their being stored',
    ),
    journalBytes: counter('regatta_journal_bytes_total', 'Steps, results, ends and snapshots written to the journal', [
      'kind',
    ]),
    journalSnapshots: counter('regatta_journal_snapshots_total', 'Snapshots that the journal has stored'),
    journalRefusals: counter('regatta_journal_refusals_total', 'Writes that the journal had no room for'),
    journalPending: gauge('regatta_journal_pending_bytes', 'Written to the journal, and not stored yet'),

    queueUnsent: gauge('regatta_queue_unsent_bytes', 'Chunks for queues that NATS does not have yet'),
    queueHeld: gauge('regatta_queue_outcomes_held', 'Messages with outcomes that are not in the journal yet'),
    queueUnreadable: counter(
      'regatta_queue_unreadable_total',
      'Messages of outcomes, or parts, that could not be read',
    ),
    queueRequeued: counter(
      'regatta_queue_requeued_runs_total',
      'Times that the chunks of a run were lost and queued again',
    ),

    natsUp: gauge('regatta_nats_up', '1 while NATS can be used; absent without NATS'),
    streamMessages: gauge('regatta_jetstream_stream_messages', 'Messages in a stream', ['stream']),
    streamBytes: gauge('regatta_jetstream_stream_bytes', 'Bytes in a stream', ['stream']),
    consumers: gauge('regatta_jetstream_consumers', 'Consumers of a stream', ['stream']),
    consumerPending: gauge('regatta_jetstream_pending', 'Messages of a stream that no consumer was given yet', [
      'stream',
    ]),
    consumerAckPending: gauge(
      'regatta_jetstream_ack_pending',
      'Messages of a stream that were given out and not acknowledged',
      ['stream'],
    ),
    consumerRedelivered: gauge('regatta_jetstream_redelivered', 'Of those, that were given out before', ['stream']),
    natsConnections: gauge('regatta_nats_connections', 'Connections to the NATS server'),
    natsMemory: gauge('regatta_nats_memory_bytes', 'Resident memory of the NATS server'),
    natsCpu: gauge('regatta_nats_cpu_cores', 'Cores that the NATS server uses'),
    natsSlowConsumers: counter(
      'regatta_nats_slow_consumers_total',
      'Clients that the NATS server cut off because they read too slowly',
    ),
    natsInBytes: counter('regatta_nats_in_bytes_total', 'That the NATS server has received since it started'),
    natsOutBytes: counter('regatta_nats_out_bytes_total', 'That the NATS server has sent since it started'),
    jetstreamMemory: gauge('regatta_jetstream_memory_bytes', 'Streams in the memory of the NATS server'),
    jetstreamStorage: gauge('regatta_jetstream_storage_bytes', 'Streams on the disk of the NATS server'),
    jetstreamStorageMax: gauge(
      'regatta_jetstream_storage_max_bytes',
      'That streams may take on the disk of the NATS server',
    ),
    jetstreamErrors: counter(
      'regatta_jetstream_api_errors_total',
      'Requests that JetStream has refused since it started',
    ),
    natsScrape: gauge(
      'regatta_nats_scrape_ok',
      '1 where the last look at this part of NATS succeeded: streams, varz, jsz',
      ['part'],
    ),
  };
}
