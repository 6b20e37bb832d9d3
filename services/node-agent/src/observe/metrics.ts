/**
 * All that a node-agent tells of itself and its host processes, one line a metric. Which node it is the scraper knows: it
 * is a label of the target, not of these.
 */
import { familiesIn, type Registry } from '@regatta/observe';

export type Metrics = ReturnType<typeof createMetrics>;

const WORK = ['transport'] as const;

/** @throws Error where the registry has them already */
export function createMetrics(registry: Registry) {
  const { counter, gauge, histogram } = familiesIn(registry);
  return {
    buildInfo: gauge('regatta_build_info', 'Always 1; which service and version this is', ['service', 'version']),

    tasks: counter('regatta_agent_tasks_total', 'Tasks that host processes told the end of: succeeded, failed', [
      ...WORK,
      'outcome',
    ]),
    chunks: counter('regatta_agent_chunks_total', 'Attempts that ended here: completed, stopped, lost', [
      ...WORK,
      'outcome',
    ]),
    chunksTaken: counter('regatta_agent_chunks_taken_total', 'Attempts that were assigned here, or pulled', WORK),
    taskCpu: counter('regatta_agent_task_cpu_seconds_total', 'CPU time of lanes at work', WORK),
    laneTime: counter('regatta_agent_lane_seconds_total', 'Wall time of lanes at work', WORK),
    wait: histogram('regatta_agent_chunk_wait_seconds', 'Time that a chunk waited here for a lane', WORK),
    lanes: gauge('regatta_agent_lanes', 'Lanes: of the widest run that is open, the cores at least'),
    lanesBusy: gauge('regatta_agent_lanes_busy', 'Lanes that have a chunk'),
    chunksWaiting: gauge('regatta_agent_chunks_waiting', 'Chunks that wait for a lane or for cores'),
    runsOpen: gauge('regatta_agent_runs_open', 'Runs that chunks are taken of'),
    held: gauge('regatta_agent_held', '1 while no task begins because results wait to be sent'),

    hosts: gauge('regatta_agent_hosts', 'Host processes: starting, idle, busy', ['state']),
    hostStarts: counter('regatta_agent_host_starts_total', 'Host processes that were started'),
    hostEnds: counter(
      'regatta_agent_host_ends_total',
      'Host processes that ended: crashed, memory, time-limit, order, worn, idle, not-started',
      ['reason'],
    ),
    hostsMemory: gauge('regatta_agent_hosts_rss_bytes', 'Resident memory of all host processes, as last seen'),
    hostMemoryMax: gauge('regatta_agent_host_rss_limit_bytes', 'Resident memory at which a host process is killed'),

    cores: gauge('regatta_agent_cores', 'Cores that this node schedules on'),
    osCores: gauge('regatta_agent_os_cores', 'Cores that the operating system reports'),
    quotaCores: gauge('regatta_agent_quota_cores', 'Cores that the CPU quota allows'),
    quotaLimited: gauge('regatta_agent_quota_limited', '1 where a CPU quota allows less than all cores'),
    throttled: counter(
      'regatta_agent_throttled_seconds_total',
      'Time that a CPU quota held this node back since it started',
    ),
    memoryMax: gauge('regatta_agent_memory_limit_bytes', 'Memory that this node may use'),

    linkUp: gauge('regatta_agent_link_up', '1 while this node has joined a coordinator'),
    linkJoins: counter('regatta_agent_link_joins_total', 'Times that this node joined or came back'),
    linkPending: gauge('regatta_agent_link_pending_bytes', 'Results that wait to be sent, or to be acknowledged'),

    tokensRefused: counter(
      'regatta_refused_tokens_total',
      'Calls with a wrong or missing token, by the door: at an agent there is that of metrics',
      ['door', 'reason'],
    ),

    queueUp: gauge('regatta_agent_queue_up', '1 while NATS can be used; absent where there is none'),
    queueHeld: gauge('regatta_agent_queue_chunks_held', 'Chunks that were pulled and are not acknowledged'),
    queuePending: gauge('regatta_agent_queue_pending_bytes', 'Outcomes that NATS does not have yet'),
    queueTaken: counter('regatta_agent_queue_deliveries_total', 'Chunks that NATS delivered here for the first time'),
    queueRedeliveries: counter(
      'regatta_agent_queue_redeliveries_total',
      'Chunks that NATS delivered here and had delivered before',
    ),
    queueTooOften: counter(
      'regatta_agent_queue_too_often_total',
      'Chunks that were ended because they were delivered too often',
    ),
    queueUnreadable: counter('regatta_agent_queue_unreadable_total', 'Messages in queues that are no chunk of ours'),
  };
}
