// Builds and runs the native test drivers: the kernels and the core outside of Node.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { raw } from '../../support/raw.js';
import { onPath, root, runProgram, slow, withFolder } from '../support.js';
import { writeNativeCases } from './cases.js';

/** The instruction sets that this CPU can run. */
export const isas = raw.device().runnable.filter((isa) => isa !== 'reference');

/** The reason for which a test that needs these programs is skipped, or false. */
export function unless(...programs: string[]): string | false {
  const missing = programs.filter((program) => !onPath(program));
  return slow || (missing.length > 0 && `needs ${missing.join(', ')}`);
}

/** Builds with CMake into build/<name>/ and gives that folder. */
export async function build(name: string, targets: readonly string[], options: readonly string[]): Promise<string> {
  const folder = join(root, 'build', name);
  await runProgram('cmake', ['-S', root, '-B', folder, '-DANNEAL_NATIVE_TESTS=ON', ...options]);
  const jobs = String(availableParallelism());
  await runProgram('cmake', ['--build', folder, '--parallel', jobs, '--target', ...targets]);
  return folder;
}

/** Runs the conformance driver on every small case; it fails when a case does. `kinds`: as in writeNativeCases. */
export async function conformance(
  command: readonly [string, ...string[]],
  isas: readonly string[],
  kinds?: Parameters<typeof writeNativeCases>[2],
): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, 'cases.bin');
    const { cases } = writeNativeCases(path, 'every', kinds);
    const [program, ...first] = command;
    const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: 'detect_leaks=1' };
    const printed = await runProgram(program, [...first, path, ...isas], { env });
    assert.ok(`\n${printed}`.endsWith(`\n${cases * isas.length} cases, 0 failed\n`), printed);
    // The driver must see an error that is there.
    const few = writeNativeCases(path, 'first');
    const planted = runProgram(program, [...first, path, 'planted'], { env });
    await assert.rejects(planted, new RegExp(`\n${few.cases} cases, ${few.withOutput} failed\n`));
  });
}
