/** What runs of I/O and safety rest on: the queue, the journal, who leads, and the coordinator's own process. */
import { board, row } from '../board.ts';
import { UIDS } from '../links.ts';
import { graph } from '../panels/graph.ts';
import { heatmap } from '../panels/heatmap.ts';
import { stat } from '../panels/stat.ts';
import { timeline } from '../panels/timeline.ts';
import { buckets, orZero, quantiles, query, rate } from '../query.ts';
import { atLeast, rising, type Thresholds, warnFrom } from '../thresholds.ts';
import * as marked from './marks.ts';

const COORDINATOR = '{job="regatta-coordinator"}';

/** As the panel of roles numbers them. */
const BY_ROLE: Thresholds = [
  { value: null, color: 'text' },
  { value: 1, color: 'green' },
  { value: 2, color: 'orange' },
  { value: 3, color: 'blue' },
  { value: 4, color: 'text' },
];

const now = row(
  'Now',
  4,
  stat({
    title: 'Leader',
    description:
      'Which coordinator leads, if only in doubt, and the number of its term, which rises with every change.',
    unit: 'prefix:term ',
    width: 4,
    decimals: 0,
    thresholds: atLeast(0),
    showsNames: true,
    noValue: 'nobody',
    queries: [
      query(
        'max by (instance) (regatta_leadership_term) and on (instance) regatta_leadership{role=~"leading|uncertain"} == 1',
        '{{instance}}',
      ),
    ],
  }),
  stat({
    title: 'NATS',
    description: 'Whether the coordinator can use NATS. While it cannot, runs wait.',
    unit: 'none',
    width: 4,
    thresholds: atLeast(1),
    names: { 0: 'away', 1: 'there' },
    noValue: 'not used',
    queries: [query('max(regatta_nats_up)', 'NATS')],
  }),
  stat({
    title: 'Journal, p99',
    description: 'One write in a hundred takes longer until it is stored. Every result waits for that.',
    unit: 's',
    width: 4,
    thresholds: rising(0.05, 0.25),
    queries: [query('regatta_journal_write_seconds:p99_rate5m', 'p99')],
  }),
  stat({
    title: 'Delivered again',
    description:
      'Of the chunks that NATS delivered, the share that it had delivered before, as whoever had them was silent.',
    unit: 'percentunit',
    width: 4,
    thresholds: rising(0.01, 0.05),
    queries: [query(orZero('max(regatta_queue_redeliveries:ratio_rate5m)'), 'again')],
  }),
  stat({
    title: 'Disk of JetStream',
    description:
      'Of what JetStream may take on its disk, the share that is used. Full, it stores nothing, and runs wait.',
    unit: 'percentunit',
    width: 4,
    thresholds: rising(0.7, 0.85),
    noValue: 'not told',
    queries: [query('max(regatta_jetstream_storage_bytes / (regatta_jetstream_storage_max_bytes > 0))', 'used')],
  }),
  stat({
    title: 'Event loop, p99',
    description: 'For how long the coordinator is blocked, one time in a hundred.',
    unit: 's',
    width: 4,
    thresholds: rising(0.1, 0.25),
    queries: [query(`max(nodejs_eventloop_lag_p99_seconds${COORDINATOR})`, 'p99')],
  }),
);

const fanout = row(
  'The queue of I/O runs',
  8,
  graph({
    title: 'Depth',
    description:
      'Messages by stream. Of REGATTA_WORK: chunks that nobody took yet, and those that nodes hold. Of REGATTA_OUTCOMES: what ' +
      'the coordinator has not read yet, and what it has read and not stored.',
    unit: 'short',
    width: 8,
    queries: [
      query('max by (stream) (regatta_jetstream_pending)', '{{stream}}, waiting'),
      query('max by (stream) (regatta_jetstream_ack_pending)', '{{stream}}, in hand'),
      query('max by (stream) (regatta_jetstream_redelivered)', '{{stream}}, given out again'),
    ],
  }),
  graph({
    title: 'Deliveries',
    description:
      'Chunks that nodes get from the queue each second: for the first time, again as whoever had them fell silent, and too ' +
      'often, which ends them.',
    unit: 'si:chunks/s',
    width: 8,
    queries: [
      rate('regatta_agent_queue_deliveries_total', '', 'first'),
      rate('regatta_agent_queue_redeliveries_total', '', 'again'),
      rate('regatta_agent_queue_too_often_total', '', 'too often'),
    ],
  }),
  graph({
    title: 'On its way',
    description:
      'What is between two places: chunks that NATS does not have yet, outcomes that are not in the journal yet, and chunks ' +
      'that nodes have pulled and not acknowledged.',
    unit: 'short',
    width: 8,
    queries: [
      query('max(regatta_queue_unsent_bytes)', 'unsent, bytes'),
      query('max(regatta_queue_outcomes_held)', 'outcomes held, messages'),
      query('sum(regatta_agent_queue_chunks_held)', 'chunks held by nodes'),
    ],
  }),
);

const journal = row(
  'The journal',
  8,
  heatmap({
    title: 'How long a write takes',
    description: 'From the writing of steps to their being stored. A band that climbs is a disk that cannot follow.',
    unit: 's',
    width: 8,
    queries: [buckets('regatta_journal_write_seconds')],
  }),
  graph({
    title: 'Written',
    description: 'Bytes a second by what they are: steps, results, what came of runs, inputs and snapshots.',
    unit: 'Bps',
    width: 8,
    stacked: true,
    queries: [rate('regatta_journal_bytes_total', 'kind', '{{kind}}')],
  }),
  graph({
    title: 'Kept',
    description:
      'Bytes that wait to be stored, results and inputs that the coordinator keeps in memory and on disk, and what the ' +
      'streams hold.',
    unit: 'bytes',
    width: 8,
    queries: [
      query('max(regatta_journal_pending_bytes)', 'waiting for the journal'),
      query('max(regatta_kept_memory_bytes)', 'in memory'),
      query('max(regatta_kept_disk_bytes)', 'on disk'),
      query('max by (stream) (regatta_jetstream_stream_bytes)', '{{stream}}'),
    ],
  }),
);

const leadership = row(
  'Who leads',
  6,
  timeline({
    title: 'Roles',
    description:
      'What each coordinator does: one leads, others stand by. `uncertain` leads, and cannot renew its lease at the moment.',
    unit: 'none',
    width: 16,
    thresholds: BY_ROLE,
    names: { 1: 'leading', 2: 'uncertain', 3: 'standing by', 4: 'idle' },
    queries: [
      query(
        ['leading', 'uncertain', 'standing-by', 'idle']
          .map((role, index) => `${index + 1} * (max by (instance) (regatta_leadership{role="${role}"}) > 0)`)
          .join(' or '),
        '{{instance}}',
      ),
    ],
  }),
  graph({
    title: 'Taking over',
    description: 'How long the reading of the journal took when a coordinator last took over: that long did runs wait.',
    unit: 's',
    width: 8,
    thresholds: warnFrom(5),
    queries: [query('max by (instance) (regatta_take_over_seconds)', '{{instance}}')],
  }),
);

const server = row(
  'The NATS server',
  6,
  graph({
    title: 'Traffic',
    description: 'Bytes that the server receives and sends each second, of all its clients.',
    unit: 'Bps',
    width: 8,
    queries: [
      query('max(rate(regatta_nats_in_bytes_total[$__rate_interval]))', 'in'),
      query('max(rate(regatta_nats_out_bytes_total[$__rate_interval]))', 'out'),
    ],
  }),
  graph({
    title: 'Load',
    description:
      'Cores that the server uses, connections to it, consumers of its streams, and requests that it refuses.',
    unit: 'short',
    width: 8,
    queries: [
      query('max(regatta_nats_cpu_cores)', 'cores'),
      query('max(regatta_nats_connections)', 'connections'),
      query('sum(max by (stream) (regatta_jetstream_consumers))', 'consumers'),
      query('max(rate(regatta_jetstream_api_errors_total[$__rate_interval]))', 'refused a second'),
    ],
  }),
  graph({
    title: 'Memory and disk',
    description: 'Of the server: resident memory, and what streams take in memory and on disk.',
    unit: 'bytes',
    width: 8,
    queries: [
      query('max(regatta_nats_memory_bytes)', 'resident'),
      query('max(regatta_jetstream_memory_bytes)', 'streams in memory'),
      query('max(regatta_jetstream_storage_bytes)', 'streams on disk'),
    ],
  }),
);

const runtime = row(
  'The coordinator’s process',
  6,
  graph({
    title: 'A step of the scheduler',
    description: 'How long the deciding takes, each time. It holds everything else up.',
    unit: 's',
    width: 8,
    logarithmic: true,
    queries: quantiles('regatta_scheduler_step_seconds'),
  }),
  graph({
    title: 'CPU',
    description:
      'Cores that each coordinator uses, and what of that collects garbage. It decides on one thread: near 1 it is what ' +
      'limits the cluster.',
    unit: 'suffix:cores',
    width: 8,
    thresholds: warnFrom(0.9),
    queries: [
      rate(`process_cpu_seconds_total${COORDINATOR}`, 'instance', '{{instance}}'),
      rate(`nodejs_gc_duration_seconds_sum${COORDINATOR}`, 'instance', '{{instance}}, garbage'),
    ],
  }),
  graph({
    title: 'Memory',
    description: 'Resident memory, and the part that is JavaScript’s heap.',
    unit: 'bytes',
    width: 8,
    queries: [
      query(`max by (instance) (process_resident_memory_bytes${COORDINATOR})`, '{{instance}}, resident'),
      query(`max by (instance) (nodejs_heap_size_used_bytes${COORDINATOR})`, '{{instance}}, heap'),
    ],
  }),
);

export const nats = board({
  uid: UIDS.nats,
  title: 'NATS and coordinator',
  description: 'The queue of I/O runs, the journal, who leads, the NATS server and the coordinator’s own process.',
  rows: [now, fanout, journal, leadership, server, runtime],
  annotations: [marked.runs, marked.leaderChanged, marked.restarted, marked.alerts],
});
