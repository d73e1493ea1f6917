/** Files: safetensors, npy and npz, IDX, checkpoints, atomic writes. */
export { type AtomicFile, type AtomicFileSystem, nodeFileSystem, writeFileAtomic } from './atomic.js';
export { type Checkpoint, type CheckpointState, readCheckpoint, writeCheckpoint } from './checkpoint.js';
export type { HostTensor } from './host_tensor.js';
export { decodeIdx, type IdxArray, type IdxDType, type IdxTensor, readIdx } from './idx.js';
export type { JsonValue } from './json.js';
export {
  decodeNpy,
  decodeNpz,
  encodeNpy,
  encodeNpz,
  type NpyOptions,
  readNpy,
  readNpz,
  writeNpy,
  writeNpz,
} from './npy.js';
export {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type SafetensorsFile,
  writeSafetensors,
} from './safetensors.js';
