// Random parameters and operands for every op on the emulated CUDA device: refused, or run within its operands, since the emulator ends
// the device at the first access outside of one. Run by backend.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { accepted, opProperty } from '../boundary/op_property.js';
import { raw } from '../support/raw.js';

const device = raw.openCuda(0);
const seed = Number(process.env.ANNEAL_FUZZ_SEED ?? 20240229);

for (const info of raw.ops()) {
  test(`${info.name} with random parameters and operands`, async () => {
    await fc.assert(opProperty(info, device), { seed, numRuns: 100 });
    assert.ok((accepted.get(info.name) ?? 0) > 0, 'no random call was ever accepted');
    // A device that was lost refuses everything, which the property takes for an answer.
    await device.sync();
  });
}
