// The addon's clock: how often it runs an op, and what it refuses to run for hours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeParams, opInfo, raw } from '../support/raw.js';
import { refuses } from '../support/refuses.js';

const ITEMS = 1 << 20;

/** One more on each execution: counts[i] += 1 over `items` items. */
function counter(items: number): { handle: number; time: (samples: number, inner: number) => Promise<Float64Array> } {
  const handle = raw.alloc(4 * items);
  raw.write(handle, 0, new Float32Array(items));
  const info = opInfo('binary');
  const params = encodeParams(info, { rank: 1, dims: [items], strideA: [1], scalar: 1 });
  const operands = Float64Array.of(handle, 0, 4 * items, 0, 0, 0, handle, 0, 4 * items);
  return { handle, time: (samples, inner) => raw.time(info.id, params, operands, 2, 1, samples, inner, 0) };
}

const first = (handle: number): number => new Float32Array(raw.readSync(handle, 0, 4))[0] ?? Number.NaN;

test('an op is run samples times inner times', async () => {
  const { handle, time } = counter(5);
  const seconds = await time(3, 4);
  assert.equal(seconds.length, 3);
  assert.ok(seconds.every((value) => value > 0 && value < 1));
  assert.equal(first(handle), 12);
  raw.free(handle);
});

test('more than 2^24 executions are refused at the call', async () => {
  const { handle, time } = counter(1);
  refuses(
    () => void time(2 ** 12, 2 ** 12 + 1),
    'E_RANGE',
    /binary: expected at most 16777216 executions, received 4096 x 4097/,
  );
  refuses(() => void time(2 ** 24 + 1, 1), 'E_ARGUMENT', /samples/);
  assert.equal(first(handle), 0);
  raw.free(handle);
});

test('executions that would take hours are refused after the first, and the device goes on', async () => {
  // On the reference kernels this takes a millisecond and more, whatever the machine: four hours in all.
  const isa = raw.device().isa;
  raw.setIsa('reference');
  const { handle, time } = counter(ITEMS);
  const started = performance.now();
  await assert.rejects(time(1, 2 ** 24), {
    code: 'E_RANGE',
    message: /binary: expected executions that take at most 600 s/,
  });
  assert.ok(performance.now() - started < 60_000);
  assert.equal(first(handle), 1);
  raw.setIsa(isa);
  assert.equal((await time(1, 1)).length, 1);
  assert.equal(first(handle), 2);
  raw.free(handle);
});

test('the loops of the limit op refuse repeats for hours', () => {
  const info = opInfo('limit');
  const run = (params: Record<string, number>): void =>
    raw.run(info.id, encodeParams(info, params), Float64Array.of(0, 0, 0, 0, 0, 0), 1, 1);
  const most = /limit: expected n times repeats to be at most/;
  refuses(() => run({ kind: 0, n: 2, repeats: 2 ** 28 }), 'E_RANGE', most);
  refuses(() => run({ kind: 2, n: 2 ** 20, repeats: 2 ** 17, block: 1 }), 'E_RANGE', most);
});
