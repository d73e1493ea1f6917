// Kernels, queue and thread pool under the thread sanitizer.
import { join } from 'node:path';
import { test } from 'node:test';
import { raw } from '../../support/raw.js';
import { runProgram } from '../support.js';
import { build, conformance, unless } from './driver.js';

// ThreadSanitizer of GCC 12 cannot map its shadow memory on kernels with more random address bits than it knew.
const fixedAddresses = ['-R'] as const;

test('thread sanitizer: kernels, queue and thread pool', { skip: unless('cmake', 'setarch') }, async () => {
  const { isa } = raw.device(); // the threads do the same with every instruction set
  const targets = ['anneal_conformance', 'anneal_queue_stress'];
  const options = ['-DANNEAL_SANITIZE=thread', '-DANNEAL_ADDON=OFF', `-DANNEAL_ISAS=${isa}`];
  const folder = await build('native-thread', targets, options);
  await runProgram('setarch', [...fixedAddresses, join(folder, 'anneal_queue_stress')]);
  await conformance(['setarch', ...fixedAddresses, join(folder, 'anneal_conformance')], [isa], ['random']);
});
