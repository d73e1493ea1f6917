// Programs that are killed in the middle, and what they printed until then.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { root } from './child.js';

/**
 * Compiles a program of the tests, and modules that it loads, so that it starts in a fraction of the time; gives the program's path.
 * It all lies below the repository's root, where the addon is found, and as the library's files do: the threads of a search look for
 * index.js in the folder above.
 */
export async function bundled(entryPoints: readonly [string, ...string[]], t: TestContext): Promise<string> {
  await mkdir(join(root, 'build'), { recursive: true });
  const outdir = await mkdtemp(join(root, 'build', 'killed-'));
  t.after(() => rm(outdir, { recursive: true }));
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

export interface Killed {
  readonly output: string;
  /** Whether it was killed before its end. */
  readonly killed: boolean;
}

/** Runs a program to its end, or until it has printed a number of lines that match, and some milliseconds more. */
export function runUntil(
  args: readonly string[],
  pattern: RegExp,
  lines = Number.POSITIVE_INFINITY,
  milliseconds = 0,
): Promise<Killed> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.split('\n').filter((line) => pattern.test(line)).length >= lines)
        setTimeout(() => child.kill('SIGKILL'), milliseconds);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve({ output, killed: true });
      else if (code === 0) resolve({ output, killed: false });
      else reject(new Error(`it ended with ${code}`));
    });
  });
}
