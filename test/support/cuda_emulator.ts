// The emulated CUDA driver (test/cuda_emulator/), built on first use: the environment in which a process finds it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/package_root.js';

export interface EmulatedCuda {
  /** Null: it cannot be built here. */
  readonly env: Readonly<Record<string, string>> | null;
  /** Why. */
  readonly missing: string;
}

let made: EmulatedCuda | undefined;

export function emulatedCuda(): EmulatedCuda {
  made ??= build();
  return made;
}

function build(): EmulatedCuda {
  const root = packageRoot();
  const folder = join(root, 'build', 'cuda_emulator');
  const cmake = (...args: string[]): void => {
    // Files of tests run side by side, and each builds it: the first does, the others wait.
    const locked = ['--no-fork', join(root, 'build', 'cuda_emulator.lock'), 'cmake', ...args];
    execFileSync('flock', locked, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  };
  if (process.platform !== 'linux') return { env: null, missing: 'the emulated CUDA driver runs on Linux' };
  for (const program of ['cmake', 'flock']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      return { env: null, missing: `the emulated CUDA driver is built with cmake and flock; ${program} was not found` };
    }
  }
  mkdirSync(join(root, 'build'), { recursive: true });
  cmake('-S', root, '-B', folder, '-DANNEAL_ADDON=OFF', '-DANNEAL_CUDA_EMULATOR=ON');
  cmake('--build', folder, '--target', 'anneal_emulated_cuda', '--parallel', String(availableParallelism()));
  const library = join(folder, 'libanneal_emulated_cuda.so');
  if (!existsSync(library)) throw new Error(`expected ${library} to be built`);
  return { env: { ANNEAL_CUDA_LIBRARY: library }, missing: '' };
}
