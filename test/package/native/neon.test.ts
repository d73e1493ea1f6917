// The kernels and the queue, cross-compiled for arm64 and run under an emulator.
import { join } from 'node:path';
import { test } from 'node:test';
import { root, runProgram } from '../support.js';
import { build, conformance, unless } from './driver.js';

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
