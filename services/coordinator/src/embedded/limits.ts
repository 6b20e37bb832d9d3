/** What an embedded nats-server is held to, and how long getting one may take; units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: embeddedLimitViews } = defineLimits({
  natsPayloadBytesMax: limit(8_388_608, 'bytes', 'one message of an embedded nats-server'),
  // Before the server cuts a connection off as too slow: many payloads of the greatest size.
  natsPendingBytesMax: limit(268_435_456, 'bytes', 'that wait for one connection of an embedded nats-server'),
  natsStoreBytesMax: limit(68_719_476_736, 'bytes', 'that an embedded nats-server stores on disk'),
  natsMemoryStoreBytesMax: limit(268_435_456, 'bytes', 'that an embedded nats-server stores in memory'),
  natsPollMs: limit(2, 'ms', 'between two looks at whether a nats-server is ready'),
  aptMsMax: limit(300_000, 'ms', 'for apt-get to install nats-server'),
  // Another package manager is at work.
  aptLockMs: limit(60_000, 'ms', 'for which apt-get waits for its turn'),
  dockerAnswerMs: limit(5_000, 'ms', 'for Docker to say what it has'),
  dockerPullMs: limit(120_000, 'ms', 'for Docker to fetch the image of nats-server'),
});
