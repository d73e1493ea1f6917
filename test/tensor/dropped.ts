// Run by tensor.test.ts with --expose-gc: makes tensors that nobody disposes, some more at once than wait to be watched,
// and some that are disposed in the same turn; tells what is left of them.
import { memory } from '../../src/device.js';
import { liveTensors, tensor } from '../../src/tensor/tensor.js';

function make(): void {
  for (let i = 0; i < 600; i++) {
    tensor([i]);
    tensor([i]).dispose();
  }
}

const counts = (): number[] => [liveTensors(), memory().liveBuffers];

make();
const made = counts();
for (let turn = 0; turn < 20 && liveTensors() > 0; turn++) {
  globalThis.gc?.();
  await new Promise((done) => setTimeout(done, 10));
}
console.log(JSON.stringify({ made, left: counts() }));
