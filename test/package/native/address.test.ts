// Kernels, queue and the whole addon under the address and undefined behaviour sanitizers.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, runNode, runProgram } from '../support.js';
import { build, conformance, isas, unless } from './driver.js';

/** About a thousand steps, plans and re-captures. */
const SOAK_SECONDS = '15';

test('address and undefined behaviour sanitizers: kernels, queue and boundary', { skip: unless('cmake') }, async () => {
  const targets = ['anneal', 'anneal_conformance', 'anneal_queue_stress'];
  const folder = await build('native-address', targets, [
    '-DANNEAL_SANITIZE=address,undefined',
    '-DANNEAL_CUDA_ARCHS=none',
  ]);
  await runProgram(join(folder, 'anneal_queue_stress'), []);
  await conformance([join(folder, 'anneal_conformance')], isas);

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
  await runNode(['--expose-gc', '--import', 'tsx', join('test', 'capture', 'soak.ts'), SOAK_SECONDS, '7'], { env });
});
