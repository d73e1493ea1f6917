// Programs that are killed in the middle, and what they printed until then.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { root } from './child.js';

/** A program of the tests as one file, below the repository's root, where the addon is found: it starts in a fraction of the time. */
export async function bundled(entry: string, t: TestContext): Promise<string> {
  await mkdir(join(root, 'build'), { recursive: true });
  const folder = await mkdtemp(join(root, 'build', 'killed-'));
  t.after(() => rm(folder, { recursive: true }));
  const outfile = join(folder, 'run.mjs');
  const form = { platform: 'node', format: 'esm', target: 'node20', packages: 'external' } as const;
  await build({ entryPoints: [join(root, entry)], outfile, bundle: true, ...form });
  return outfile;
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
