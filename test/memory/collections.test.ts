// V8's garbage collector sees the memory of tensors that nobody gives back, and is left alone by what is given back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from '../support/child.js';

interface Told {
  readonly collections: number;
  readonly peakBytes: number;
  readonly itemBytes: number;
}

async function told(kind: 'disposed' | 'dropped', rounds: number): Promise<Told> {
  const { code, stdout, stderr } = await runChild('test/memory/collections.ts', [kind, String(rounds)]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test('steps that give 128 MiB back each time bring on no collection', async () => {
  const { collections, peakBytes, itemBytes } = await told('disposed', 100);
  // The collector may have its own reasons, but not step by step.
  assert.ok(collections <= 5, `${collections} collections in 100 steps`);
  assert.equal(peakBytes, 9 * itemBytes);
});

test('tensors that nobody disposes are collected before they fill the memory', async (t) => {
  const { collections, peakBytes, itemBytes } = await told('dropped', 100);
  t.diagnostic(`${collections} collections in 100 steps, at most ${peakBytes / itemBytes} tensors held`);
  assert.ok(collections >= 5, `${collections} collections in 100 steps`);
  // 800 were made.
  assert.ok(peakBytes < 80 * itemBytes, `${peakBytes / itemBytes} tensors held at once`);
});
