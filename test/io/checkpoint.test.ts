import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AtomicFileSystem, nodeFileSystem } from '../../src/io/atomic.js';
import { type Checkpoint, type CheckpointState, readCheckpoint, writeCheckpoint } from '../../src/io/checkpoint.js';
import { f32, failure, i32, temporaryFolder } from './host.js';

function checkpoint(step: number): Checkpoint {
  const state: CheckpointState = {
    step,
    epoch: 2,
    seed: 42,
    schedule: { kind: 'cosine', from: 0.1, steps: 2145 },
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 5e-4 },
    rng: { counter: step },
    history: [{ loss: 0.1 + 0.2, best: Number.POSITIVE_INFINITY, zero: -0, valLoss: Number.NaN }],
  };
  return { tensors: { 'conv.w': f32([step, -0, Number.NaN]), 'conv.v': f32([], [0]), counts: i32([step]) }, state };
}

/** Stops, as a killed process does, in front of the n-th rename. */
function stopAtRename(turn: number): AtomicFileSystem {
  let renames = 0;
  return {
    ...nodeFileSystem,
    async rename(from, to) {
      renames += 1;
      if (renames === turn) throw new Error('killed');
      await nodeFileSystem.rename(from, to);
    },
  };
}

test('checkpoint: round trip, bit for bit, non-finite numbers included', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'last');
  await writeCheckpoint(path, checkpoint(7));
  assert.deepEqual((await readdir(folder)).sort(), ['last.json', 'last.safetensors']);
  for (const name of ['last', 'last.json', 'last.safetensors']) {
    assert.deepEqual(await readCheckpoint(join(folder, name)), checkpoint(7));
  }
  await writeCheckpoint(path, { ...checkpoint(8), state: { ...checkpoint(8).state, extra: { patience: 3 } } });
  assert.deepEqual((await readCheckpoint(path)).state.extra, { patience: 3 });
});

test('checkpoint: a write cut off at any rename leaves a whole checkpoint, and so does the write after it', async (context) => {
  const path = join(await temporaryFolder(context), 'last');
  await writeCheckpoint(path, checkpoint(1));
  const expected = [1, 1, 2];
  for (const [index, survives] of expected.entries()) {
    await assert.rejects(writeCheckpoint(path, checkpoint(2), { fs: stopAtRename(index + 1) }), /killed/);
    assert.deepEqual(await readCheckpoint(path), checkpoint(survives), `cut off at rename ${index + 1}`);
  }
  // Now the state of the tensors is only staged. The next write finishes that first (its own rename 1), and then must
  // not lose it when it is cut off too.
  await assert.rejects(writeCheckpoint(path, checkpoint(3), { fs: stopAtRename(1) }), /killed/);
  assert.deepEqual(await readCheckpoint(path), checkpoint(2));
  await assert.rejects(writeCheckpoint(path, checkpoint(3), { fs: stopAtRename(3) }), /killed/);
  assert.deepEqual(await readCheckpoint(path), checkpoint(2));
  await writeCheckpoint(path, checkpoint(4));
  assert.deepEqual(await readCheckpoint(path), checkpoint(4));
});

test('checkpoint: files of two checkpoints are told apart', async (context) => {
  const folder = await temporaryFolder(context);
  await writeCheckpoint(join(folder, 'a'), checkpoint(1));
  await writeCheckpoint(join(folder, 'b'), checkpoint(2));
  await copyFile(join(folder, 'a.json'), join(folder, 'b.json'));
  await assert.rejects(readCheckpoint(join(folder, 'b')), failure('E_FORMAT', /b\.json: .* of different checkpoints/));
});

test('checkpoint: damage and absence', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'c');
  await assert.rejects(readCheckpoint(path), failure('E_IO', /c\.safetensors: expected a readable file/));
  await writeCheckpoint(path, checkpoint(1));

  const tensors = await readFile(`${path}.safetensors`);
  await writeFile(`${path}.safetensors`, new Uint8Array(tensors).with(tensors.length - 1, 1));
  await assert.rejects(readCheckpoint(path), failure('E_FORMAT', /expected SHA-256 .* \(damaged\)/));
  await writeFile(`${path}.safetensors`, tensors.subarray(0, tensors.length - 1));
  await assert.rejects(readCheckpoint(path), failure('E_FORMAT', /c\.safetensors: /));
  await writeFile(`${path}.safetensors`, tensors);

  const text = await readFile(`${path}.json`, 'utf8');
  for (const [from, to, message] of [
    ['"step": 1', '"step": -1', /step to be a whole number >= 0, received -1/],
    ['"epoch": 2', '"epoch": "2"', /epoch to be a whole number >= 0, received "2"/],
    ['"seed": 42', '"seed": null', /seed to be a number, received null/],
    ['"rng"', '"ring"', /expected schedule, optimizer, rng/],
    ['"version": 1', '"version": 2', /expected version 1, received 2/],
    ['anneal-checkpoint', 'other', /expected the state of a checkpoint/],
    ['{', '', /expected JSON/],
  ] as const) {
    await writeFile(`${path}.json`, text.replace(from, to));
    await assert.rejects(readCheckpoint(path), failure('E_FORMAT', message));
  }
  await rename(`${path}.json`, join(folder, 'elsewhere'));
  await assert.rejects(readCheckpoint(path), failure('E_IO', /c\.json: expected the state of a checkpoint/));
});
