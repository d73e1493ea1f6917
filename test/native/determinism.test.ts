// Results do not depend on the number of threads, nor on the run: a short CNN training gives the same bits.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { cpuInfo, setInstructionSet, setThreads } from '../../src/backend/device.js';
import { adamw, type OptimizerSpec, sgd } from '../../src/optim/index.js';
import { cnnFixture, trainCnn } from '../support/cnn.js';

const STEPS = 4;
const before = cpuInfo();
after(() => {
  setThreads(before.threads);
  setInstructionSet(before.isa);
});

const optimizers: Record<string, () => OptimizerSpec> = {
  sgd: () => sgd({ lr: 0.05, momentum: 0.9, weightDecay: 5e-4, nesterov: true, clipNorm: 1, ema: { decay: 0.9 } }),
  adamw: () => adamw({ lr: 0.01, weightDecay: 0.01 }),
};

function bits(spec: OptimizerSpec): Record<string, string> {
  const { losses, parameters } = trainCnn(cnnFixture, spec, STEPS);
  const hex = (values: Float32Array): string => Buffer.from(values.buffer).toString('hex');
  return {
    losses: hex(Float32Array.from(losses)),
    ...Object.fromEntries([...parameters].map(([name, values]) => [name, hex(values)])),
  };
}

for (const isa of before.runnable) {
  for (const [name, make] of Object.entries(optimizers)) {
    test(`${STEPS} steps with ${name} on ${isa} give the same bits on 1, 2 and 3 threads, and again`, () => {
      setInstructionSet(isa);
      setThreads(1);
      const expected = bits(make());
      for (const threads of [1, 2, 3]) {
        setThreads(threads);
        assert.deepEqual(bits(make()), expected, `${threads} threads`);
      }
    });
  }
}
