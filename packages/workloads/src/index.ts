export {
  defineWorkload,
  type Parameter,
  type Parameters,
  type TaskContext,
  type TaskResult,
  type Workload,
} from './define.ts';
export { decodeValue, encodeValue, pack, packCount, slicePack, unpack } from './pack.ts';
export { resolveParameters } from './params.ts';
