/** What host processes bound, units in the names. The agent's own are in ../limits.ts. */
export const limits = {
  /** News of a chunk that goes on: after so long, or so many bytes of results, whichever is first. */
  newsMs: 50,
  newsBytes: 1_048_576,
  /** The largest result of one task: a frame holds it, with room to spare. */
  resultBytesMax: 32 * 1_048_576,
  /** Between tasks the event loop gets a turn every so often. */
  yieldMs: 10,
  /** A task that waits and is told to stop gets so long to do so, before its process is given up. */
  abandonMs: 200,
  /** Ends of short chunks are told together, so often. */
  gatherMs: 1,
  /** How often a host looks at its own memory. */
  rssReadMs: 100,
  /** Of a failure. */
  messageCharactersMax: 4_096,
  stackCharactersMax: 8_192,
  stackLinesMax: 12,
  /** Failures in one piece of news, where a whole chunk failed at once. */
  failuresPerNewsMax: 1_000,
} as const;
