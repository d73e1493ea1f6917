/**
 * A checkpoint is two files: `<name>.safetensors` (the tensors, bit for bit) and `<name>.json` (where the run stood).
 * A shared id ties them together and a SHA-256 in the JSON covers the tensors' file.
 *
 * A crash at any moment leaves a whole checkpoint behind, the old one or the new one. The writer
 *   1. writes the new tensors under a temporary name, hashing them, then the new state as `<name>.json.next`,
 *   2. replaces `<name>.safetensors`: from here on the new checkpoint is the one that loads,
 *   3. renames `<name>.json.next` to `<name>.json`.
 * The reader takes whichever of the two JSON files has the id of the tensors.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AnnealError, reasonOf } from '../errors.js';
import type { Shape } from '../tensor/shape.js';
import { type AtomicFileSystem, nodeFileSystem, renameDurably, writeFileAtomic } from './atomic.js';
import { isJsonObject } from './fields.js';
import { bytesOf, checkHostTensor, type HostTensor } from './host_tensor.js';
import { type JsonValue, parseJson, stringifyJson } from './json.js';
import { readBytes } from './read_bytes.js';
import { decodeSafetensors, safetensorsLayout } from './safetensors.js';

/** Where a run stood: everything that a resumed run needs beyond tensors. Numbers survive exactly, non-finite ones too. */
export interface CheckpointState {
  /** Steps done. */
  readonly step: number;
  /** Epochs done. */
  readonly epoch: number;
  readonly seed: number;
  readonly schedule: JsonValue;
  readonly optimizer: JsonValue;
  readonly rng: JsonValue;
  readonly history: readonly JsonValue[];
  /** Whatever else the trainer and its callbacks keep. */
  readonly extra?: JsonValue;
}

export interface Checkpoint {
  readonly tensors: Readonly<Record<string, HostTensor>>;
  readonly state: CheckpointState;
}

/** A tensor that is brought to the host while it is written. */
export interface StreamedTensor {
  readonly shape: Shape;
  readonly dtype: 'f32';
  /** All values in their order, in pieces. */
  chunks(): AsyncIterable<Float32Array>;
}

/** What is written: tensors on the host, or on their way. */
export interface CheckpointSource {
  readonly tensors: Readonly<Record<string, HostTensor | StreamedTensor>>;
  readonly state: CheckpointState;
}

export interface WriteCheckpointOptions {
  readonly fs?: AtomicFileSystem;
  /** Awaited after each piece of half a MB. Default: the next turn of the event loop. */
  readonly pace?: () => Promise<void>;
}

const format = 'anneal-checkpoint';
const version = 1;

/**
 * Writes `<path>.safetensors` and `<path>.json`; `path` may carry either ending already.
 * @throws AnnealError E_IO when the file system refuses (the checkpoint of before still loads), E_DTYPE or E_SHAPE when
 *   a tensor is not consistent.
 */
export async function writeCheckpoint(
  path: string,
  { tensors, state }: CheckpointSource,
  { fs = nodeFileSystem, pace = nextTurn }: WriteCheckpointOptions = {},
): Promise<void> {
  for (const [name, tensor] of Object.entries(tensors))
    if ('data' in tensor) checkHostTensor(tensor, `checkpoint: tensor "${name}"`);
  const files = filesOf(path);
  await finishInterrupted(files, fs);
  const id = randomUUID();
  const { head, entries } = safetensorsLayout(tensors, { format, version: String(version), id });
  const hash = createHash('sha256');
  async function* content(): AsyncGenerator<Uint8Array> {
    hash.update(head);
    yield head;
    for (const [, tensor] of entries) {
      for await (const bytes of 'data' in tensor ? [bytesOf(tensor)] : bytesOfChunks(tensor)) {
        for (const piece of pieces(bytes)) {
          hash.update(piece);
          yield piece;
          await pace();
        }
      }
    }
  }
  await writeFileAtomic(files.tensors, content(), fs, async () => {
    const header = { format, version, id, sha256: hash.digest('hex') };
    await writeFileAtomic(files.next, [stringifyJson({ ...header, state }, 2), '\n'], fs);
  });
  await renameDurably(files.next, files.state, fs);
}

async function* bytesOfChunks({ chunks }: StreamedTensor): AsyncGenerator<Uint8Array> {
  for await (const { buffer, byteOffset, byteLength } of chunks()) yield new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * Reads and checks both files.
 * @throws AnnealError E_IO when a file is missing, E_FORMAT when one is damaged, is no checkpoint, is of a later version,
 *   or when the two do not belong together.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const files = filesOf(path);
  const bytes = await readBytes(files.tensors);
  const { tensors, metadata } = decodeSafetensors(bytes, files.tensors);
  if (metadata.format !== format || metadata.id === undefined) {
    throw new AnnealError('E_FORMAT', `${files.tensors}: expected the tensors of a checkpoint, found no checkpoint id`);
  }
  const found: string[] = [];
  let missing: AnnealError | undefined;
  for (const file of [files.state, files.next]) {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (cause) {
      missing ??= new AnnealError('E_IO', `${file}: expected the state of a checkpoint (${reasonOf(cause)})`, {
        cause,
      });
      continue;
    }
    const { id, sha256, state } = parseState(text, file);
    if (id !== metadata.id) {
      found.push(id);
      continue;
    }
    const received = await sha256Of(bytes);
    if (received !== sha256) {
      throw new AnnealError('E_FORMAT', `${files.tensors}: expected SHA-256 ${sha256}, received ${received} (damaged)`);
    }
    return { tensors, state };
  }
  if (found.length === 0 && missing !== undefined) throw missing;
  throw new AnnealError(
    'E_FORMAT',
    `${files.state}: expected the state of checkpoint ${metadata.id}, received that of ${found.join(' and ')} ` +
      '(the two files are of different checkpoints)',
  );
}

/**
 * Does step 3 of a write that was cut off after step 2; step 1 of the next write would overwrite the only state that
 * belongs to the tensors. A staged state of other tensors is of a write that was cut off earlier, and worth nothing.
 */
async function finishInterrupted(files: Files, fs: AtomicFileSystem): Promise<void> {
  let matches: boolean;
  try {
    const staged = parseState(await readFile(files.next, 'utf8'), files.next);
    const { metadata } = decodeSafetensors(await readBytes(files.tensors), files.tensors);
    matches = staged.id === metadata.id;
  } catch {
    return; // nothing staged, or nothing whole: there is no interrupted write to finish
  }
  if (matches) await renameDurably(files.next, files.state, fs);
}

/** Bytes that are hashed between two turns of the event loop: half a millisecond of it. */
const HASHED_AT_ONCE = 1 << 19;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) yield bytes.subarray(at, at + HASHED_AT_ONCE);
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (const piece of pieces(bytes)) {
    hash.update(piece);
    await nextTurn();
  }
  return hash.digest('hex');
}

interface Files {
  readonly tensors: string;
  readonly state: string;
  readonly next: string;
}

function filesOf(path: string): Files {
  const base = path.replace(/\.(safetensors|json)$/, '');
  return { tensors: `${base}.safetensors`, state: `${base}.json`, next: `${base}.json.next` };
}

function parseState(text: string, file: string): { id: string; sha256: string; state: CheckpointState } {
  const fail = (message: string, options?: { cause: unknown }): AnnealError =>
    new AnnealError('E_FORMAT', `${file}: ${message}`, options);
  let root: JsonValue;
  try {
    root = parseJson(text);
  } catch (cause) {
    throw fail(`expected JSON (${reasonOf(cause)})`, { cause });
  }
  if (!isJsonObject(root) || root.format !== format) throw fail('expected the state of a checkpoint');
  if (root.version !== version) throw fail(`expected version ${version}, received ${String(root.version)}`);
  const { id, sha256, state } = root;
  if (typeof id !== 'string' || typeof sha256 !== 'string' || !isJsonObject(state)) {
    throw fail('expected id, sha256 and state');
  }
  const { step, epoch, seed, schedule, optimizer, rng, history, extra } = state;
  for (const [name, value] of Object.entries({ step, epoch })) {
    if (!Number.isSafeInteger(value) || Number(value) < 0) {
      throw fail(`expected ${name} to be a whole number >= 0, received ${JSON.stringify(value)}`);
    }
  }
  if (typeof step !== 'number' || typeof epoch !== 'number' || typeof seed !== 'number') {
    throw fail(`expected seed to be a number, received ${JSON.stringify(seed)}`);
  }
  if (schedule === undefined || optimizer === undefined || rng === undefined || !isList(history)) {
    throw fail('expected schedule, optimizer, rng and a list as history');
  }
  return {
    id,
    sha256,
    state: { step, epoch, seed, schedule, optimizer, rng, history, ...(extra === undefined ? {} : { extra }) },
  };
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
