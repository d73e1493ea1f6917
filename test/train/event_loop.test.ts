// Training leaves the event loop its turns: between a few steps each, however small they are.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { fromIterable } from '../../src/data/index.js';
import { memory, sync } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import { zeros } from '../../src/ops/creation.js';
import { sgd } from '../../src/optim/index.js';
import * as train from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';
import { raw } from '../support/raw.js';

/**
 * Node runs up to 1000 calls of a native callback in a row. Ours hand over after half a millisecond, twice at most, in which
 * no machine makes this many calls.
 */
const MOST_IN_A_ROW = 800;

/** Counts the turns of the event loop, and the most steps that `step` was called between two of them. */
function watchTurns() {
  let going = true;
  const seen = { turns: 0, steps: 0, mostInARow: 0, inARow: 0 };
  const turn = (): void => {
    seen.turns++;
    seen.inARow = 0;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    seen,
    step(): void {
      seen.steps++;
      seen.mostInARow = Math.max(seen.mostInARow, ++seen.inARow);
    },
    stop: (): void => {
      going = false;
    },
  };
}

test('results that are there at once do not keep the event loop from its turns', async (t) => {
  const { seen, step, stop } = watchTurns();
  using x = zeros([1]);
  for (let i = 0; i < 20_000; i++) {
    await x.data();
    step();
  }
  stop();
  t.diagnostic(`${seen.turns} turns in ${seen.steps} steps, at most ${seen.mostInARow} steps in a row`);
  assert.ok(seen.mostInARow <= MOST_IN_A_ROW, `${seen.mostInARow} in a row`);
});

for (const capture of [true, false]) {
  test(`timers and requests are served while small steps are trained, ${capture ? 'captured' : 'op by op'}`, async (t) => {
    const server = createServer((_request, response) => response.end('ok'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = `http://127.0.0.1:${address.port}/`;
    const { seen, step, stop } = watchTurns();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    let training = true;
    const served: number[] = [];
    const ask = async (): Promise<void> => {
      while (training) {
        const response = await fetch(url);
        assert.equal(await response.text(), 'ok');
        served.push(seen.steps);
      }
    };
    const asking = ask();
    const model = mlp();
    try {
      const data = blobs(8 * 500, 1)
        .shuffle()
        .batch(8);
      const callbacks = [{ name: 'count', onStep: step }];
      await using run = train.fit(model, { data, epochs: 6, optimizer: sgd({ lr: 0.01 }), callbacks, capture });
      await run.result;
    } finally {
      training = false;
      clearInterval(timer);
      stop();
      await asking;
      server.closeAllConnections();
      server.close();
      model.dispose();
    }
    t.diagnostic(
      `${seen.steps} steps, ${seen.turns} turns, ${ticks} ticks, ${served.length} requests, at most ${seen.mostInARow} steps in a row`,
    );
    assert.equal(seen.steps, 3000);
    assert.ok(seen.mostInARow <= MOST_IN_A_ROW, `${seen.mostInARow} steps in a row`);
    assert.ok(ticks > 0);
    // A request takes several turns; they came throughout the run.
    for (let part = 0; part < 3; part++) {
      const during = served.filter((at) => at > 1000 * part && at <= 1000 * (part + 1)).length;
      assert.ok(during > 0, `no request was served between steps ${1000 * part} and ${1000 * (part + 1)}`);
    }
    await sync();
  });
}

/** 16 points and their labels. */
const BATCH_BYTES = 16 * (2 * 4 + 4);

test('a run takes few batches ahead of the step that is done, and no more memory the longer it goes on', async () => {
  let [taken, done, most] = [0, 0, 0];
  const batches = blobs(16 * 20, 1).batch(16);
  const source = fromIterable(
    async function* (epoch, options) {
      for (const batch of batches.epoch(epoch, options)) {
        most = Math.max(most, ++taken - done);
        yield batch;
      }
    },
    { batchesPerEpoch: 20, seekable: true },
  );
  const peaks: number[] = [];
  const watch: train.Callback = {
    name: 'watch',
    async onStep({ step }) {
      done = step;
      // Time enough for a source that is asked without bound.
      await new Promise((resolve) => setImmediate(resolve));
    },
    onEpoch: () => void peaks.push(memory().peakBytes),
  };
  using model = mlp();
  for (const capture of [true, false]) {
    [taken, done, most] = [0, 0, 0];
    peaks.length = 0;
    await using run = train.fit(model, {
      data: source,
      epochs: 6,
      optimizer: sgd({ lr: 0.01 }),
      callbacks: [watch],
      capture,
    });
    assert.equal((await run.result).steps, 120);
    assert.equal(taken, 120);
    // Two that wait, one that is being made, two steps in flight.
    assert.ok(most <= 5, `${most} batches ahead`);
    // The most batches that are ever there at once may come late; 80 that nobody gave back would be far more.
    const grown = (peaks.at(-1) ?? 0) - (peaks[1] ?? 0);
    assert.ok(grown <= 5 * BATCH_BYTES, `${grown} bytes more after 80 steps`);
  }
});

test('a deep net trained op by op never fills the queue, where JavaScript would have to wait', async () => {
  // Some 750 ops a step, enqueued in a fifth of the time that they take.
  const layers = Array.from({ length: 150 }, () => nn.dense({ units: 64, activation: 'relu' }));
  using model = nn.sequential([...layers, nn.dense({ units: 3 })]);
  const data = blobs(512 * 6, 1).batch(512);
  const { waits } = raw.queued();
  const options = { data, validation: data, epochs: 2, optimizer: sgd({ lr: 0.01 }), capture: false };
  await using run = train.fit(model, options);
  await run.result;
  assert.equal(raw.queued().waits, waits);
});
