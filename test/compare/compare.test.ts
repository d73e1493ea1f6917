// `anneal compare`: two devices that agree, and a planted bug that is found.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compareRecording } from '../../src/compare/compare.js';
import { RECORD_VARIABLE, recordedCalls } from '../../src/compare/recording.js';
import { type Target, targetOf } from '../../src/compare/target.js';
import { runChild } from '../support/child.js';
import { drivers } from '../support/drivers.js';
import { rejects } from '../support/refuses.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-compare-test-'));
const recording = join(folder, 'step.ops');
after(() => rmSync(folder, { recursive: true, force: true }));

const cli = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runChild('src/cli/main.ts', ['compare', ...args], { env: { NODE_OPTIONS: '--import tsx', ...env } });

test('a script is recorded, op by op, with what each reads', async () => {
  const request = JSON.stringify({ file: recording, ops: 1000 });
  const { code, stderr } = await runChild('test/compare/fixtures/step.ts', [], { env: { [RECORD_VARIABLE]: request } });
  assert.equal(code, 0, stderr);
  const ops = [...recordedCalls(recording)].map(({ op }) => op);
  for (const op of ['conv2d', 'conv2d_backward_weight', 'max_pool2d', 'sgemm', 'sgd_momentum_ema'] as const)
    assert.ok(ops.includes(op), `${op} among ${ops.join(', ')}`);
});

test('instruction sets agree within bounds, numbers of threads to the bit', async () => {
  for (const other of ['cpu:baseline', 'cpu:reference', 'cpu:3']) {
    const { ops, found } = await compareRecording(recording, [await targetOf('cpu'), await targetOf(other)]);
    assert.equal(found, null, `${other}: ${found?.what}: ${found?.where}`);
    assert.ok(ops > 20);
  }
});

test('the first wrong op is found, with its worst element, and can be run again alone', async () => {
  const right = await targetOf('cpu');
  const calls = [...recordedCalls(recording)];
  const planted = calls.findIndex(({ op }) => op === 'conv2d_backward_weight');
  let at = 0;
  const wrong: Target = {
    ...right,
    name: 'planted',
    bits: 'planted',
    async run(call) {
      const outputs = await right.run(call);
      if (call.op !== 'conv2d_backward_weight' || at++ > 1) return outputs;
      const [first, ...rest] = outputs;
      const values = new Float32Array((first ?? new Uint8Array()).slice().buffer);
      values[7] = (values[7] ?? 0) + 0.01;
      return [new Uint8Array(values.buffer), ...rest];
    },
  };
  const { found } = await compareRecording(recording, [right, wrong]);
  assert.equal(found?.index, planted);
  assert.match(found?.what ?? '', /^conv2d_backward_weight \[6,/);
  assert.match(found?.where ?? '', /output 0: 1 of \d+ elements .* worst at 7: \S+ on cpu, \S+ on planted, bound/);
  const again = await compareRecording(recording, [right, wrong], { only: planted });
  assert.deepEqual([again.ops, again.found?.index], [1, planted]);
});

test('the command says that they agree', async () => {
  const { code, stdout, stderr } = await cli(['--devices', 'cpu,cpu:1', 'test/compare/fixtures/step.ts']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\d+ ops agree on cpu and cpu:1$/m);
});

test('what is wrong with its arguments is said', async () => {
  await rejects(targetOf('tpu'), 'E_ARGUMENT', /cpu:THREADS/);
  const { code, stderr } = await cli(['--devices', 'cpu', recording]);
  assert.equal(code, 1);
  assert.match(stderr, /E_ARGUMENT compare: expected two devices/);
  const cut = join(folder, 'cut.ops');
  writeFileSync(cut, new Uint8Array(20).fill(64));
  const [one, other] = [await targetOf('cpu'), await targetOf('cpu:1')];
  await rejects(compareRecording(cut, [one, other]), 'E_FORMAT');
});

for (const { name, env, missing } of drivers()) {
  test(`the CPU and WebGPU on ${name} agree on a training step`, {
    skip: env === null ? missing : false,
  }, async () => {
    const right = await cli([recording], env ?? {});
    assert.equal(right.code, 0, `${right.stdout}\n${right.stderr}`);
    assert.match(right.stdout, /ops agree on cpu and webgpu/);
  });
}
