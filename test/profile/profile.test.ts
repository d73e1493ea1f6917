// Profiles: the trace's form, what it says against what was done, and how one ends.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setThreads } from '../../src/backend/device.js';
import { capture } from '../../src/capture/index.js';
import * as device from '../../src/device.js';
import type * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import * as optim from '../../src/optim/index.js';
import { type Profile, profile, type TraceEvent } from '../../src/profile/index.js';
import { scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { fit } from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';
import { refuses, rejects } from '../support/refuses.js';
import '../../src/ops/methods.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-profile-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const JAVASCRIPT = 1;
const ofCategory = (seen: Profile, cat: TraceEvent['cat']): TraceEvent[] =>
  seen.trace.traceEvents.filter((event) => event.cat === cat);
const endOf = ({ ts, dur }: TraceEvent): number => ts + dur;

/** Large enough for the pool to share its ops. */
const SIZE = 256;

/** Five ops on square matrices: two products, an addition, a relu and a sum; and the read of the result. */
async function work(): Promise<number> {
  using result = scope(() => {
    const a = ops.normal([SIZE, SIZE], { seed: 1 });
    return a.matmul(a).matmul(a).add(a).relu().sum();
  });
  return (await result.data())[0] ?? Number.NaN;
}

/** Microseconds by which events of one thread may seem to overlap: the rounding of two times to nanoseconds. */
const ROUNDING = 0.002;

function assertApart(events: readonly TraceEvent[], what: string): void {
  const sorted = [...events].sort((a, b) => a.ts - b.ts);
  for (const [i, event] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next) assert.ok(endOf(event) <= next.ts + ROUNDING, `${what}: ${JSON.stringify([event, next])}`);
  }
}

test('gives what the function gave, and every op with its shape, flops and bytes', async () => {
  const expected = await work();
  const seen = await profile(work, { limits: false });
  assert.equal(seen.value, expected);
  const events = ofCategory(seen, 'op');
  assert.deepEqual(
    events.map(({ name }) => name),
    ['random normal', 'sgemm', 'sgemm', 'binary add', 'unary relu', 'reduce sum'],
  );
  const [, product, , sum] = events;
  assert.equal(product?.args?.shape, `[${SIZE},${SIZE}] x [${SIZE},${SIZE}]`);
  assert.equal(product?.args?.flops, 2 * SIZE ** 3);
  assert.equal(product?.args?.bytes, 3 * 4 * SIZE ** 2);
  assert.equal(sum?.args?.shape, `[${SIZE ** 2}]`);
  assert.equal(sum?.args?.flops, SIZE ** 2);
  assert.equal(sum?.args?.bytes, 3 * 4 * SIZE ** 2);
  assert.equal(ofCategory(seen, 'copy').length, 1, 'the read');
  assert.equal(seen.dropped, 0);
});

test('the file is the trace, in the Chrome trace-event format', async () => {
  const seen = await profile(work);
  const path = join(folder, 'trace.json');
  await seen.write(path);
  const trace: Profile['trace'] = JSON.parse(readFileSync(path, 'utf8'));
  assert.deepEqual(trace, seen.trace);
  assert.equal(trace.displayTimeUnit, 'ms');
  const named = new Map<number, string>();
  for (const event of trace.traceEvents) {
    assert.equal(typeof event.name, 'string');
    for (const key of ['ts', 'dur', 'pid', 'tid'] as const) assert.ok(Number.isFinite(event[key]), key);
    assert.ok(event.dur >= 0, JSON.stringify(event));
    assert.equal(event.pid, process.pid);
    if (event.name === 'thread_name') named.set(event.tid, String(event.args?.name));
    else assert.ok(event.ph === 'X' || event.ph === 'M');
  }
  const tracks = new Set(trace.traceEvents.filter(({ ph }) => ph === 'X').map(({ tid }) => tid));
  for (const track of tracks) assert.ok(named.has(track), `track ${track} has a name`);
  const names = [...named.values()];
  assert.deepEqual(names.slice(0, 2), ['JavaScript', 'JavaScript waits']);
  assert.ok(names.includes('cpu queue'));
  assert.ok(trace.traceEvents.some(({ name, args }) => name === 'process_name' && /^anneal /.test(String(args?.name))));
});

for (const threads of [1, 2, 3]) {
  test(`times: ops one after the other, shares within their op, calls before it (${threads} threads)`, async () => {
    const before = device.cpuInfo().threads;
    setThreads(threads);
    try {
      const seen = await profile(
        async () => {
          for (let i = 0; i < 20; i++) await work();
        },
        { limits: false },
      );
      const onQueue = [...ofCategory(seen, 'op'), ...ofCategory(seen, 'copy')];
      assert.equal(ofCategory(seen, 'op').length, 6 * 20);
      assertApart(onQueue, 'queue');
      const byRecord = new Map(onQueue.map((event) => [event.args?.record, event]));
      const shares = ofCategory(seen, 'share');
      const tracks = new Set(shares.map(({ tid }) => tid));
      assert.ok(tracks.size >= 1 && tracks.size <= threads, `${tracks.size} tracks`);
      for (const track of tracks)
        assertApart(
          shares.filter(({ tid }) => tid === track),
          `track ${track}`,
        );
      for (const share of shares) {
        const op = byRecord.get(share.args?.record);
        assert.ok(op, JSON.stringify(share));
        assert.equal(share.name, op.name);
        assert.ok(share.ts >= op.ts - ROUNDING && endOf(share) <= endOf(op) + ROUNDING, JSON.stringify([share, op]));
      }
      const calls = ofCategory(seen, 'call');
      assert.equal(calls.length, 6 * 20);
      for (const call of calls) {
        const op = byRecord.get(call.args?.record);
        assert.equal(call.name, op?.name);
        assert.equal(call.tid, JAVASCRIPT);
        // The two clocks are read one after the other: some hundred nanoseconds, and as much again for a disturbed one.
        assert.ok((op?.ts ?? 0) >= call.ts - 20, JSON.stringify([call, op]));
      }
    } finally {
      setThreads(before);
    }
  });
}

test('shapes of convolutions, windows and rows, and what a kernel applies to its result', async () => {
  const seen = await profile(
    () => {
      scope(() => {
        const x = ops.normal([2, 8, 8, 3], { seed: 1 });
        const y = ops.conv2d(x, ops.normal([3, 3, 3, 4], { seed: 2 }), { stride: 2, activation: 'relu' });
        ops.maxPool2d(y, 3);
        ops.softmax(ops.sum(x, [1, 2]));
        ops.matmul(ops.normal([4, 2], { seed: 3 }), ops.normal([4, 5], { seed: 4 }), { transposeA: true });
      });
    },
    { limits: false },
  );
  const shapes = new Map(seen.tableBy('shape').rows.map(({ op, shape }) => [op, shape]));
  assert.equal(shapes.get('conv2d'), '[2,8,8,3] * [3,3,3,4] / [2,2] relu');
  assert.equal(shapes.get('max_pool2d'), '[2,3,3,4] * [3,3] / [3,3]');
  assert.equal(shapes.get('softmax'), '[2,3]');
  assert.equal(shapes.get('reduce sum'), '[2,64,3]');
  assert.equal(shapes.get('sgemm'), "[4,2]' x [4,5]");
});

test('the table sums up the trace', async () => {
  const seen = await profile(work);
  const onQueue = [...ofCategory(seen, 'op'), ...ofCategory(seen, 'copy')];
  for (const by of ['op', 'shape'] as const) {
    const { rows } = seen.tableBy(by);
    assert.equal(
      rows.reduce((sum, { calls }) => sum + calls, 0),
      onQueue.length,
    );
    const near = (value: number, expected: number): void =>
      assert.ok(Math.abs(value - expected) <= 1e-5 * onQueue.length + 1e-6 * expected, `${value} ${expected}`);
    near(
      rows.reduce((sum, { share }) => sum + share, 0),
      1,
    );
    for (const row of rows) {
      const events = onQueue.filter(
        ({ name, args }) => name === row.op && (by === 'op' || (args?.shape ?? '') === row.shape),
      );
      const us = events.reduce((sum, { dur }) => sum + dur, 0);
      assert.equal(row.calls, events.length);
      near(row.ms, us / 1e3);
      near(row.usMean, us / events.length);
    }
  }
  const product = seen.table.rows.find(({ op }) => op === 'sgemm');
  assert.ok(product?.gflops && product.gbps && product.shareOfLimit);
  assert.ok(Math.abs(product.gflops - (4 * SIZE ** 3) / product.ms / 1e6) < 1e-6 * product.gflops);
  assert.ok(product.shareOfLimit > 0 && product.shareOfLimit < 1.5, `${product.shareOfLimit}`);
  const text = String(seen.table);
  assert.match(text, /^cpu: \w+ kernels, \d+ threads; .* ms, 6 ops\n/);
  assert.match(text, /\n *op +calls +total ms +mean us +share +GFLOP\/s +GB\/s +of limit\n/);
  assert.match(text, /\nsgemm +2 /);
  assert.doesNotMatch(text, /dropped/);
});

test('without limits there is no share of them', async () => {
  const seen = await profile(work, { limits: false });
  assert.ok(seen.table.rows.every(({ shareOfLimit }) => shareOfLimit === null));
  assert.ok(ofCategory(seen, 'op').every(({ args }) => args?.['share of limit'] === undefined));
});

test('a training run has spans for data, forward, backward and optimizer, with the calls of ops within', async () => {
  using model: nn.Sequential = mlp();
  const seen = await profile(
    async () => {
      await using run = fit(model, {
        data: blobs(96, 1).batch(32),
        epochs: 2,
        optimizer: optim.sgd({ lr: 0.1 }),
        capture: false,
      });
      await run.result;
    },
    { limits: false },
  );
  const STEPS = 6;
  for (const name of ['step', 'forward', 'backward', 'optimizer']) {
    const spans = ofCategory(seen, 'span').filter((event) => event.name === name);
    assert.equal(spans.length, STEPS, name);
    assertApart(spans, name);
  }
  const waits = ofCategory(seen, 'wait');
  assert.equal(waits.filter(({ name }) => name === 'data').length, STEPS);
  for (const track of new Set(waits.map(({ tid }) => tid)))
    assertApart(
      waits.filter(({ tid }) => tid === track),
      `waits ${track}`,
    );
  // Whatever overlaps on a track is one within the other.
  const javascript = seen.trace.traceEvents.filter(({ ph, tid }) => ph === 'X' && tid === JAVASCRIPT);
  const updates = javascript.filter(({ name }) => name === 'sgd_momentum_ema');
  assert.equal(updates.length, STEPS);
  const open: TraceEvent[] = [];
  for (const event of [...javascript].sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    while (open.length > 0 && endOf(open.at(-1) ?? event) <= event.ts + ROUNDING) open.pop();
    const around = open.at(-1);
    if (around) assert.ok(endOf(event) <= endOf(around) + ROUNDING, JSON.stringify([around, event]));
    if (event.name === 'sgd_momentum_ema') assert.equal(around?.name, 'optimizer');
    open.push(event);
  }
});

test('a replayed step is one call, with an event for each of its ops as if it had run op by op', async () => {
  using weights = ops.normal([SIZE, SIZE], { seed: 2 });
  using layer = capture(({ x }: { x: Tensor }) => x.matmul(weights).add(x).tanh());
  using x = ops.normal([SIZE, SIZE], { seed: 3 });
  const call = async (): Promise<void> => {
    using y = layer({ x });
    await y.data();
  };
  const described = (seen: Profile) =>
    ofCategory(seen, 'op').map(({ name, args }) => [name, args?.shape, args?.flops, args?.bytes]);
  const recorded = await profile(call, { limits: false });
  await call();
  // The plan was made before: the profile asks the device for its ops.
  const seen = await profile(call, { limits: false });
  const [plan] = layer.plans;
  assert.equal(ofCategory(seen, 'op').length, plan?.ops);
  assert.deepEqual(
    described(seen).filter(([name]) => name === 'sgemm'),
    described(recorded).filter(([name]) => name === 'sgemm'),
  );
  const events = ofCategory(seen, 'op');
  assertApart(events, 'queue');
  assert.deepEqual(
    events.map(({ args }) => args?.index ?? 0),
    events.map((_, i) => i),
  );
  for (const { args } of events) assert.ok(args?.shape && Number(args.flops) > 0 && Number(args.bytes) > 0);
  const calls = ofCategory(seen, 'call');
  assert.deepEqual(
    calls.map(({ name }) => name),
    [`replay of ${events.length} ops`],
  );
  for (const share of ofCategory(seen, 'share')) {
    const op = events.find(({ args }) => (args?.index ?? 0) === share.args?.index);
    assert.ok(op && share.name === op.name && share.ts >= op.ts - ROUNDING && endOf(share) <= endOf(op) + ROUNDING);
  }
});

test('what there is no room for is counted and told', async () => {
  const seen = await profile(work, { events: 3, limits: false });
  assert.equal(ofCategory(seen, 'op').length, 3);
  assert.equal(ofCategory(seen, 'call').length, 3);
  // Of the queue three ops and the copy, of JavaScript three calls; shares as the pool happened to be used.
  assert.ok(seen.dropped >= 7, `${seen.dropped}`);
  assert.equal(seen.trace.otherData['dropped events'], seen.dropped);
  assert.match(String(seen.table), new RegExp(`${seen.dropped} events were dropped`));
});

test('refuses a profile within a profile, and no or too much room', async () => {
  const seen = await profile(
    async () => {
      await rejects(profile(work), 'E_ARGUMENT', /profile: expected no other profile to be taken/);
      return work();
    },
    { limits: false },
  );
  assert.equal(ofCategory(seen, 'op').length, 6, 'the outer one goes on');
  for (const events of [0, -1, 1.5, Number.NaN, 2 ** 40])
    await rejects(profile(work, { events }), 'E_ARGUMENT', /profile: expected events to be an integer in/);
});

test('ends when the function throws, or when an op it enqueued fails', async () => {
  const failure = new Error('mine');
  await assert.rejects(
    profile(() => {
      throw failure;
    }),
    (error) => error === failure,
  );
  await assert.rejects(
    profile(() => Promise.reject(failure)),
    (error) => error === failure,
  );
  const table = tensor([[1], [2]]);
  let lost: Tensor | null = null;
  await rejects(
    profile(() => {
      lost = ops.gather(table, tensor(Int32Array.of(7)));
    }),
    'E_RANGE',
    /gather: /,
  );
  (lost as Tensor | null)?.dispose();
  const seen = await profile(work, { limits: false });
  assert.equal(ofCategory(seen, 'op').length, 6, 'the next one is whole');
});

test('nothing is left of it: the device calls what it called before', async () => {
  const { backendOf, defaultDevice } = await import('../../src/backend/device.js');
  const { tracing } = await import('../../src/backend/tracing.js');
  const { raw } = await import('../support/raw.js');
  const backend = backendOf(defaultDevice());
  const { run, read, readSync, write, sync } = backend;
  await profile(work, { limits: false });
  assert.deepEqual(
    [backend.run, backend.read, backend.readSync, backend.write, backend.sync],
    [run, read, readSync, write, sync],
  );
  assert.equal(tracing.by, null);
  refuses(() => backend.profiler.stop(), 'E_ARGUMENT', /profile: expected a profile that was started/);
  refuses(() => backend.profiler.now(), 'E_ARGUMENT');
  assert.equal(typeof raw.submitted(), 'number');
});

test('threads may change meanwhile', async () => {
  const before = device.cpuInfo().threads;
  try {
    const seen = await profile(
      async () => {
        setThreads(1);
        await work();
        setThreads(4);
        await work();
      },
      { limits: false },
    );
    assert.equal(ofCategory(seen, 'op').length, 12);
  } finally {
    setThreads(before);
  }
});
