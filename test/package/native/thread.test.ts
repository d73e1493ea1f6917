// Kernels, queue and thread pool under the thread sanitizer.
import { join } from 'node:path';
import { test } from 'node:test';
import { raw } from '../../support/raw.js';
import { runProgram } from '../support.js';
import { build, conformance, unless } from './driver.js';

// ThreadSanitizer of GCC 12 cannot map its shadow memory on kernels with more random address bits than it knew.
const fixedAddresses = ['-R'] as const;

test('thread sanitizer: kernels, queue and thread pool', { skip: unless('cmake', 'setarch') }, async () => {
  const targets = ['anneal_conformance', 'anneal_queue_stress'];
  const folder = await build('native-thread', targets, ['-DANNEAL_SANITIZE=thread', '-DANNEAL_ADDON=OFF']);
  await runProgram('setarch', [...fixedAddresses, join(folder, 'anneal_queue_stress')]);
  await conformance(['setarch', ...fixedAddresses, join(folder, 'anneal_conformance')], [raw.device().isa]);
});
