// Finding the checkpoint that a run goes on from.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AnnealError, reasonOf } from '../errors.js';
import { type Checkpoint, readCheckpoint } from '../io/checkpoint.js';

const FILE = /^step-(\d+)\.safetensors$/;

/** The path of the checkpoint after `step` updates, without an ending. */
export function checkpointPath(directory: string, step: number): string {
  return join(directory, `step-${String(step).padStart(8, '0')}`);
}

/** Where a run's folder keeps its checkpoints: a folder may be the run's or that of the checkpoints themselves. */
export const CHECKPOINTS = 'checkpoints';

export interface FoundCheckpoint {
  /** null where there is none. */
  readonly checkpoint: Checkpoint | null;
  /** Without an ending. */
  readonly path: string | null;
  /** What is wrong with newer ones. */
  readonly damaged: readonly string[];
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new AnnealError('E_IO', `${directory}: expected a folder of checkpoints (${reasonOf(cause)})`, { cause });
  }
}

/**
 * The newest whole checkpoint of a run: `path` is its folder, or that of its checkpoints, or one checkpoint. Damaged ones are
 * passed over, and named. @throws E_IO; E_FORMAT when there are checkpoints, but none is whole
 */
export async function latestCheckpoint(path: string): Promise<FoundCheckpoint> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const single = path.replace(/\.(safetensors|json)$/, '');
  if (!isFolder && (single !== path || (await stat(`${single}.safetensors`).catch(() => null)) !== null))
    return { checkpoint: await readCheckpoint(single), path: single, damaged: [] };
  const steps = new Map<string, number>();
  for (const directory of [path, join(path, CHECKPOINTS)]) {
    for (const name of isFolder ? await names(directory) : []) {
      const step = FILE.exec(name)?.[1];
      if (step !== undefined) steps.set(join(directory, name.replace(/\.safetensors$/, '')), Number(step));
    }
  }
  const damaged: string[] = [];
  for (const [found] of [...steps].sort(([, a], [, b]) => b - a)) {
    try {
      return { checkpoint: await readCheckpoint(found), path: found, damaged };
    } catch (error) {
      if (!(error instanceof AnnealError)) throw error;
      damaged.push(`passed over the checkpoint ${found}: ${error.message}`);
    }
  }
  if (damaged.length > 0)
    throw new AnnealError('E_FORMAT', `${path}: expected a whole checkpoint, found none; ${damaged.join('; ')}`);
  return { checkpoint: null, path: null, damaged };
}
