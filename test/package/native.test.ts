// The kernels and the core outside of Node: cross-compiled for arm64 (NEON) under an emulator, under sanitizers, and as they are
// shipped on operands next to pages that cannot be touched.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { raw } from '../support/raw.js';
import { writeNativeCases } from './native_cases.js';
import { onPath, root, runNode, runProgram, slow, withFolder } from './support.js';

/** The reason for which a test that needs these programs is skipped, or false. */
function unless(...programs: string[]): string | false {
  const missing = programs.filter((program) => !onPath(program));
  return slow || (missing.length > 0 && `needs ${missing.join(', ')}`);
}

/** Builds with CMake into build/<name>/ and gives that folder. */
async function build(name: string, targets: readonly string[], options: readonly string[]): Promise<string> {
  const folder = join(root, 'build', name);
  await runProgram('cmake', ['-S', root, '-B', folder, '-DANNEAL_NATIVE_TESTS=ON', ...options]);
  const jobs = String(Math.min(2, availableParallelism()));
  await runProgram('cmake', ['--build', folder, '--parallel', jobs, '--target', ...targets]);
  return folder;
}

/** Runs the conformance driver on every case table; it fails when a case does. */
async function conformance(command: readonly [string, ...string[]], isas: readonly string[]): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, 'cases.bin');
    const { cases, withOutput } = writeNativeCases(path);
    const [program, ...first] = command;
    const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: 'detect_leaks=1' };
    const printed = await runProgram(program, [...first, path, ...isas], { env });
    assert.ok(`\n${printed}`.endsWith(`\n${cases * isas.length} cases, 0 failed\n`), printed);
    // The driver must see an error that is there.
    const planted = runProgram(program, [...first, path, 'planted'], { env });
    await assert.rejects(planted, new RegExp(`\n${cases} cases, ${withOutput} failed\n`));
  });
}

// ThreadSanitizer of GCC 12 cannot map its shadow memory on kernels with more random address bits than it knew.
const fixedAddresses = ['-R'] as const;
const isas = raw.device().runnable.filter((isa) => isa !== 'reference');

test('NEON kernels agree with the reference, under qemu', {
  skip: unless('cmake', 'aarch64-linux-gnu-g++', 'qemu-aarch64'),
}, async () => {
  const toolchain = `-DCMAKE_TOOLCHAIN_FILE=${join(root, 'native', 'test', 'aarch64-linux-gnu.cmake')}`;
  const folder = await build(
    'native-neon',
    ['anneal_conformance', 'anneal_queue_stress'],
    [toolchain, '-DANNEAL_ADDON=OFF', '-DANNEAL_WERROR=ON'],
  );
  await conformance(['qemu-aarch64', join(folder, 'anneal_conformance')], ['baseline']);
  await runProgram('qemu-aarch64', [join(folder, 'anneal_queue_stress')]);
});

test('kernels as they are shipped touch no byte beyond their operands', { skip: unless('cmake') }, async () => {
  // The addon's own objects, where CMake built it.
  const shipped = existsSync(join(root, 'build', 'cmake', 'CMakeCache.txt'));
  const folder = await build(
    shipped ? 'cmake' : 'native-pages',
    ['anneal_conformance'],
    shipped ? [] : ['-DANNEAL_ADDON=OFF'],
  );
  const program = join(folder, 'anneal_conformance');
  await withFolder(async (files) => {
    const path = join(files, 'cases.bin');
    const { cases } = writeNativeCases(path);
    for (const isa of isas) {
      const printed = await runProgram(program, ['--pages', path, isa]);
      // Each case twice: its operands end right before such a page, and begin right after one.
      assert.ok(`\n${printed}`.endsWith(`\n${2 * cases} cases, 0 failed\n`), printed);
    }
    // The driver must see a read that is there: one byte past each operand, or one before it.
    const few = writeNativeCases(path, 'first').cases;
    for (const [planted, where] of [
      ['planted-read-past', 'operands end at a page'],
      ['planted-read-before', 'operands begin after a page'],
    ]) {
      await assert.rejects(runProgram(program, ['--pages', path, String(planted)]), (error: Error) => {
        const seen = error.message.split('\n').filter((line) => line.includes(`${where}: ended by signal`));
        assert.equal(seen.length, few, error.message);
        return true;
      });
    }
  });
});

test('address and undefined behaviour sanitizers: kernels, queue and boundary', { skip: unless('cmake') }, async () => {
  const targets = ['anneal', 'anneal_conformance', 'anneal_queue_stress'];
  const folder = await build('native-address', targets, ['-DANNEAL_SANITIZE=address,undefined']);
  await runProgram(join(folder, 'anneal_queue_stress'), []);
  await conformance([join(folder, 'anneal_conformance')], ['reference', ...isas]);

  const libasan = (await runProgram(process.env.CXX ?? 'c++', ['-print-file-name=libasan.so'])).trim();
  const env = {
    ...process.env,
    ANNEAL_ADDON: join(folder, 'Release', 'anneal.node'),
    LD_PRELOAD: libasan,
    // Node itself leaks at exit; a refused allocation must become E_OOM instead of ending the process.
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    NODE_TEST_CONTEXT: undefined,
  };
  const boundary = join('test', 'boundary');
  const files = readdirSync(join(root, boundary)).filter((name) => name.endsWith('.test.ts'));
  assert.ok(files.length > 0);
  await runNode(['--import', 'tsx', '--test', ...files.map((name) => join(boundary, name))], { env });
});

test('thread sanitizer: kernels, queue and thread pool', { skip: unless('cmake', 'setarch') }, async () => {
  const targets = ['anneal_conformance', 'anneal_queue_stress'];
  const folder = await build('native-thread', targets, ['-DANNEAL_SANITIZE=thread', '-DANNEAL_ADDON=OFF']);
  await runProgram('setarch', [...fixedAddresses, join(folder, 'anneal_queue_stress')]);
  await conformance(['setarch', ...fixedAddresses, join(folder, 'anneal_conformance')], [raw.device().isa]);
});
