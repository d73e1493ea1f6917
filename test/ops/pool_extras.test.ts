// Pooling: what the case tables, which hold no NaN, cannot say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuInfo, setInstructionSet } from '../../src/backend/device.js';
import { ops, tensor } from '../../src/index.js';

test('maxPool2d: the last NaN of a window wins and takes the gradient', async () => {
  const { NaN: nan } = Number;
  const info = cpuInfo();
  try {
    for (const isa of info.runnable) {
      setInstructionSet(isa);
      for (const channels of [1, 19]) {
        // Three windows 2x2 of a 2x6 image: NaN first, last but one, and twice.
        const image = [nan, 2, 1, 2, 1, nan, 3, 4, nan, 4, nan, 5];
        const x = tensor(
          Float32Array.from({ length: 12 * channels }, (_, i) => image[Math.floor(i / channels)] ?? 0),
          [1, 2, 6, channels],
        ).requireGrad();
        const y = ops.maxPool2d(x, 2);
        assert.ok((await y.data()).every(Number.isNaN), `${isa}: every window has a NaN`);
        y.sum().backward();
        const expected = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0].flatMap((g) => Array(channels).fill(g));
        assert.deepEqual([...((await x.grad?.data()) ?? [])], expected, isa);
      }
    }
  } finally {
    setInstructionSet(info.isa);
  }
});
