/** Messages of the queue as bytes. What comes in may be anybody's: reading throws for what is none of ours. */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Outcomes, WorkItem } from '../gen/regatta/v1/queue.ts';
import { protoLimits } from '../limits.ts';
import { PieceWriter } from '../piece-writer.ts';

const NUMBERS_MAX = protoLimits.numbersPerQueuedMessageMax.value;

export const writeWorkItem = (item: WorkItem): Buffer => write((to) => WorkItem.encode(item, to.asBinaryWriter()));
export const writeOutcomes = (outcomes: Outcomes): Buffer =>
  write((to) => Outcomes.encode(outcomes, to.asBinaryWriter()));

/** @throws Error in a line that says what is wrong with it */
export const readWorkItem = (bytes: Uint8Array): WorkItem => WorkItem.decode(readerOf(bytes));

/** @throws Error in a line that says what is wrong with it */
export const readOutcomes = (bytes: Uint8Array): Outcomes => Outcomes.decode(readerOf(bytes));

function write(encode: (writer: PieceWriter) => void): Buffer {
  const writer = new PieceWriter();
  encode(writer);
  return writer.finish();
}

function readerOf(bytes: Uint8Array): BinaryReader {
  const reader = new BinaryReader(bytes);
  const uint32 = reader.uint32;
  let left = NUMBERS_MAX;
  reader.uint32 = () => {
    if (--left < 0) throw new Error(`it has more than ${NUMBERS_MAX} parts`);
    return uint32.call(reader);
  };
  return reader;
}
