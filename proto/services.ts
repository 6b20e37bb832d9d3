/**
 * The services as both ends use them: generated, but for how the messages that carry payloads are written (see
 * piece-writer.ts), and for how much a message may hold that comes from who knows whom.
 */
import { BinaryReader, type BinaryWriter } from '@bufbuild/protobuf/wire';
import { type ChannelCredentials, type ChannelOptions, makeGenericClientConstructor } from '@grpc/grpc-js';
import {
  type ControlServiceClient,
  ControlServiceService,
  StreamResultsResponse,
  SubmitRunWithInputsRequest,
} from './gen/regatta/v1/control.ts';
import {
  ConnectRequest,
  ConnectResponse,
  type NodeLinkServiceClient,
  NodeLinkServiceService,
} from './gen/regatta/v1/node.ts';
import { protoLimits } from './limits.ts';
import { PieceWriter } from './piece-writer.ts';

const NUMBERS_MAX = protoLimits.numbersPerMessageMax.value;

interface MessageType<T> {
  encode(message: T, writer: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader): T;
}

const writes =
  <T>({ encode }: MessageType<T>) =>
  (message: T): Buffer => {
    const writer = new PieceWriter();
    encode(message, writer.asBinaryWriter());
    return writer.finish();
  };

/** @throws Error for a message of more parts than any of ours has */
const reads =
  <T>({ decode }: MessageType<T>) =>
  (bytes: Buffer): T => {
    const reader = new BinaryReader(bytes);
    const uint32 = reader.uint32;
    let left = NUMBERS_MAX;
    reader.uint32 = () => {
      if (--left < 0) throw new Error(`it has more than ${NUMBERS_MAX} parts`);
      return uint32.call(reader);
    };
    return decode(reader);
  };

export const nodeLinkService: typeof NodeLinkServiceService = {
  connect: {
    ...NodeLinkServiceService.connect,
    requestSerialize: writes(ConnectRequest),
    requestDeserialize: reads(ConnectRequest),
    responseSerialize: writes(ConnectResponse),
    responseDeserialize: reads(ConnectResponse),
  },
};

export const controlService: typeof ControlServiceService = {
  ...ControlServiceService,
  submitRunWithInputs: {
    ...ControlServiceService.submitRunWithInputs,
    requestSerialize: writes(SubmitRunWithInputsRequest),
  },
  streamResults: { ...ControlServiceService.streamResults, responseSerialize: writes(StreamResultsResponse) },
};

type ClientClass<T> = new (address: string, credentials: ChannelCredentials, options?: Partial<ChannelOptions>) => T;

export const NodeLinkClient = makeGenericClientConstructor(
  nodeLinkService,
  'regatta.v1.NodeLinkService',
) as unknown as ClientClass<NodeLinkServiceClient>;

export const ControlClient = makeGenericClientConstructor(
  controlService,
  'regatta.v1.ControlService',
) as unknown as ClientClass<ControlServiceClient>;
