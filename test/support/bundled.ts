// Programs of tests as compiled code, which starts in a fraction of the time.
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { root } from './child.js';

/**
 * Compiles a program of the tests, and modules that it loads, and gives the program's path.
 * It all lies below the repository's root, where the addon is found, and as the library's files do: the threads of a search look for
 * index.js in the folder above, reports for assets.
 */
export async function bundled(entryPoints: readonly [string, ...string[]], t: TestContext): Promise<string> {
  await mkdir(join(root, 'build'), { recursive: true });
  const outdir = await mkdtemp(join(root, 'build', 'test-'));
  t.after(() => rm(outdir, { recursive: true }));
  await symlink(join(root, 'assets'), join(outdir, 'assets'));
  const files = { absWorkingDir: root, entryPoints: ['src/index.ts', ...entryPoints], outdir, outbase: '.' };
  const shared = { splitting: true, chunkNames: 'src/shared/[name]-[hash]' };
  await build({
    ...files,
    ...shared,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
  });
  return join(outdir, entryPoints[0].replace(/\.ts$/, '.js'));
}
