// Programs of tests that are started many times: compiled once, they start in a fraction of the time.
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './child.js';

/**
 * Compiles TypeScript, given by the path within the bundle and from the repository's root, to modules that share their code, and gives
 * the bundle's folder, which is the caller's to remove. It lies below the root, where the addon is found, and has the library's
 * layout: index.js is there, and code that is shared is one folder below, as workers expect.
 */
export async function bundled(entryPoints: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(join(root, 'build'), { recursive: true });
  const outdir = await mkdtemp(join(root, 'build', 'test-'));
  await build({
    absWorkingDir: root,
    entryPoints: { index: 'src/index.ts', ...entryPoints },
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'shared/[name]-[hash]',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
  });
  return outdir;
}
