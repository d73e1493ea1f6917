// Random arguments of a CUDA device's own functions; random parameters and operands for every op on the emulated one: refused, or run within its operands, since the emulator ends
// the device at the first access outside of one. Run by backend.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostile } from '../boundary/hostile.js';
import { accepted, opProperty } from '../boundary/op_property.js';
import { isRefusal } from '../boundary/refusal.js';
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

const precisions = ['f32', 'tf32', 'bf16'];
const own = ['setPrecision', 'graphs', 'rangesWatched', 'pushRange', 'popRange'] as const;
for (const name of own) {
  test(`${name} with any arguments`, () => {
    const args = fc.array(fc.oneof(hostile, fc.string(), fc.constantFrom(...precisions)), { maxLength: 3 });
    const property = fc.property(args, (list) => {
      let result: unknown;
      try {
        result = Reflect.apply(device[name], undefined, list);
      } catch (error) {
        assert.ok(isRefusal(error), `expected an AnnealError, received ${String(error)}`);
        return;
      }
      const [first] = list;
      if (name === 'setPrecision') assert.ok(precisions.some((precision) => precision === first));
      else if (name === 'pushRange') assert.equal(typeof first, 'string');
      else if (name === 'graphs') assert.deepEqual(Object.keys(Object(result)), ['made', 'changed']);
      else if (name === 'rangesWatched') assert.equal(result, false, 'no tool is attached');
    });
    fc.assert(property, { seed, numRuns: 300 });
    device.setPrecision('f32');
  });
}
