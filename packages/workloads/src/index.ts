export { builtinWorkloads, findWorkload } from './builtin/index.ts';
export {
  defineWorkload,
  type Parameter,
  type Parameters,
  type TaskContext,
  type TaskResult,
  type Workload,
} from './define.ts';
export { digestValues } from './digest.ts';
export {
  decodeInPlace,
  decodeValue,
  emptyEntries,
  encodeValue,
  Packer,
  pack,
  packCount,
  slicePack,
  unpack,
} from './pack.ts';
export { resolveParameters } from './params.ts';
export { RetryLater } from './retry-later.ts';
