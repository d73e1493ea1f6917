// Where the package lies: the addon, the kernels' texts and the version are found from there.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnnealError } from './errors.js';

/** @throws E_DEVICE where this file was taken out of its package */
export function packageRoot(): string {
  // This file runs from src/, from dist/ and, bundled, from dist/cjs/: the root is the nearest folder above with ours.
  const start = dirname(fileURLToPath(import.meta.url));
  for (let dir = start; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'native', 'sources.json'))) return dir;
    if (dir === dirname(dir)) throw new AnnealError('E_DEVICE', `expected the anneal package around ${start}`);
  }
}
