/** What the journal is called in NATS. */

const NAME_PREFIX = 'REGATTA';

/** @param namePrefix `REGATTA` makes the stream REGATTA_JOURNAL with subjects regatta.journal.> */
export const journalNames = (namePrefix = NAME_PREFIX) => ({
  stream: `${namePrefix}_JOURNAL`,
  /** Of all subjects, without the dot. */
  subjects: `${namePrefix.toLowerCase()}.journal`,
});

export const JOURNAL_STREAM = journalNames().stream;
