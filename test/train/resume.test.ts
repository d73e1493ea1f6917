// Checkpoints of a run, and runs that go on from them: to the same bits as one that never stopped.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ErrorCode } from '../../src/errors.js';
import { readCheckpoint } from '../../src/io/index.js';
import type * as nn from '../../src/nn/index.js';
import { adam, sgd } from '../../src/optim/index.js';
import * as schedule from '../../src/schedule/index.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { rejects } from '../support/refuses.js';
import { balanced, collect, data, ofType, validation } from './setup.js';

const EPOCHS = 4; // of 6 steps

async function folder(use: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'anneal-resume-'));
  try {
    await use(path);
  } finally {
    await rm(path, { recursive: true });
  }
}

const rate = schedule.cosine({ from: 0.1, steps: 6 * EPOCHS });
const optimizers = {
  sgd: sgd({ lr: rate, momentum: 0.9, weightDecay: 1e-3, clipNorm: 1, ema: { decay: 0.9 } }),
  adam: adam({ lr: rate, groups: [{ match: /bias/, lrScale: 2 }] }),
  'sgd with an equal average': sgd({ lr: rate, weightDecay: rate, swa: { startStep: 5, every: 2 } }),
  'sgd with a corrected average': sgd({ lr: rate, ema: { decay: 0.9, biasCorrection: true, startStep: 3 } }),
};

function options(directory: string, more: Partial<train.FitOptions> = {}): train.FitOptions {
  return {
    data,
    validation,
    epochs: EPOCHS,
    seed: 7,
    optimizer: optimizers.sgd,
    callbacks: [
      train.earlyStopping({ monitor: 'val_loss', patience: 50, restoreBest: true }),
      train.reduceOnPlateau({ monitor: 'loss', mode: 'max', patience: 0, factor: 0.5 }),
      train.updateRatio({ every: 2, upper: 5e-3, action: 'scale' }),
      train.checkpoint({ directory, everySteps: 2, keepLast: 100 }),
    ],
    ...more,
  };
}

/** What a run leaves, without the times. */
async function outcome(model: nn.Module, result: train.FitResult): Promise<object> {
  const history = result.history.map(({ seconds, samplesPerSecond, ...rest }) => rest);
  return { ...result, history, weights: await model.stateDict() };
}

async function whole(more: Partial<train.FitOptions> = {}): Promise<object> {
  let found: object = {};
  await folder(async (directory) => {
    using model = mlp(0.2);
    await using run = train.fit(model, options(directory, more));
    found = await outcome(model, await run.result);
  });
  return found;
}

for (const [kind, optimizer] of Object.entries(optimizers)) {
  for (const accumulate of [1, 4]) {
    balanced(
      `${kind}, ${accumulate} batches a step: resumed from any checkpoint a run ends as one that went through`,
      async () => {
        const more = { optimizer, accumulate };
        const expected = await whole(more);
        await folder(async (directory) => {
          using first = mlp(0.2);
          await using run = train.fit(first, options(directory, more));
          await run.result;
          const names = (await readdir(directory)).filter((name) => name.endsWith('.safetensors')).sort();
          const steps = accumulate === 1 ? 12 : 4;
          assert.equal(names.length, steps, names.join());
          for (const name of names) {
            using model = mlp(0.2);
            await using again = train.fit(
              model,
              options(join(directory, 'again'), { ...more, resume: join(directory, name) }),
            );
            const events = await collect(again);
            const [resumed] = ofType(events, 'resume');
            assert.equal(resumed?.step, Number(/\d+/.exec(name)?.[0]));
            assert.deepEqual(await outcome(model, await again.result), expected, name);
          }
        });
      },
    );
  }
}

balanced('an aborted run goes on where it stopped, and again', async () => {
  const expected = await whole();
  await folder(async (directory) => {
    let found: object = {};
    for (const stopAt of [3, 8, 13, Number.POSITIVE_INFINITY]) {
      using model = mlp(0.2);
      await using run = train.fit(model, options(directory, { resume: directory }));
      for await (const event of run) if (event.type === 'step' && event.step >= stopAt) run.stop();
      const result = await run.result;
      if (stopAt < 24) assert.equal(result.stopReason, 'aborted');
      found = await outcome(model, result);
    }
    assert.deepEqual(found, expected);
  });
});

balanced('a run that is done is done when it is resumed: with the best weights, and no step more', async () => {
  await folder(async (directory) => {
    const callbacks = () => [
      train.earlyStopping({ monitor: 'loss', mode: 'max', patience: 1, restoreBest: true }),
      train.checkpoint({ directory }),
    ];
    using model = mlp();
    await using run = train.fit(model, options(directory, { callbacks: callbacks() }));
    const expected = await outcome(model, await run.result);
    assert.equal((await run.result).stopReason, 'earlyStopping');
    using other = mlp();
    await using again = train.fit(other, options(directory, { callbacks: callbacks(), resume: directory }));
    assert.deepEqual(await outcome(other, await again.result), expected);
    assert.equal(ofType(await collect(again), 'step').length, 0);
  });
});

test('the last and the best are kept', async () => {
  await folder(async (directory) => {
    using model = mlp();
    const callback = train.checkpoint({
      directory,
      everySteps: 4,
      keepLast: 2,
      keepBest: 1,
      monitor: 'loss',
      mode: 'max',
    });
    await using run = train.fit(model, options(directory, { callbacks: [callback] }));
    const { history } = await run.result;
    const worst = history.reduce((a, b) => ((b.metrics.loss ?? 0) > (a.metrics.loss ?? 0) ? b : a));
    assert.equal(worst.epoch, 0);
    const names = [6, 20, 24].flatMap((step) =>
      ['json', 'safetensors'].map((ending) => `step-${String(step).padStart(8, '0')}.${ending}`),
    );
    assert.deepEqual((await readdir(directory)).sort(), names.sort());
  });
});

balanced('a damaged checkpoint is passed over, by name; none that is whole is an error', async () => {
  const expected = await whole();
  await folder(async (directory) => {
    using model = mlp(0.2);
    await using run = train.fit(model, options(directory));
    for await (const event of run) if (event.type === 'step' && event.step === 15) run.stop();
    await run.result;
    const newest = join(
      directory,
      (await readdir(directory))
        .filter((name) => name.endsWith('.safetensors'))
        .sort()
        .at(-1) ?? '',
    );
    const bytes = await readFile(newest);
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1;
    await writeFile(newest, bytes);
    using other = mlp(0.2);
    await using again = train.fit(other, options(directory, { resume: directory }));
    const events = await collect(again);
    assert.match(ofType(events, 'warning')[0]?.message ?? '', /passed over .*step-0000001[56]: .*damaged/);
    assert.equal(ofType(events, 'resume')[0]?.step, 14);
    assert.deepEqual(await outcome(other, await again.result), expected);
    for (const name of await readdir(directory)) await writeFile(join(directory, name), 'nothing');
    using third = mlp(0.2);
    await using refused = train.fit(third, options(directory, { resume: directory }));
    await rejects(refused.result, 'E_FORMAT', /expected a whole checkpoint, found none/);
  });
});

balanced('what does not fit the checkpoint is refused before a step', async () => {
  await folder(async (directory) => {
    using model = mlp(0.2);
    await using run = train.fit(model, options(directory));
    await run.result;
    const refused = async (more: Partial<train.FitOptions>, code: ErrorCode, message: RegExp): Promise<void> => {
      using other = mlp(0.2);
      await using again = train.fit(other, options(join(directory, 'x'), { resume: directory, ...more }));
      await rejects(again.result, code, message);
    };
    await refused({ seed: 8 }, 'E_ARGUMENT', /expected seed 7, as in .*, received 8/);
    await refused({ data: validation }, 'E_ARGUMENT', /expected batches an epoch 6, as in .*, received 3/);
    await refused({ optimizer: optimizers.adam }, 'E_ARGUMENT', /expected the state of adam, received that of sgd/);
  });
});

balanced('a failed run leaves a checkpoint to look at, and no other changes', async () => {
  await folder(async (directory) => {
    using model = mlp();
    await using run = train.fit(
      model,
      options(directory, {
        optimizer: sgd({ lr: schedule.step({ from: 0.1, gamma: 1e40, every: 11 }) }),
        callbacks: [train.checkpoint({ directory })],
      }),
    );
    await rejects(run.result, 'E_NONFINITE', /finite loss/);
    assert.deepEqual((await readdir(directory)).sort(), [
      'error.json',
      'error.safetensors',
      'step-00000006.json',
      'step-00000006.safetensors',
    ]);
    assert.ok((await readCheckpoint(join(directory, 'error'))).state.step > 12);
    assert.equal((await train.latestCheckpoint(directory)).checkpoint?.state.step, 6);
  });
});

balanced('a checkpoint that cannot be written is a warning, at the end an error', async () => {
  await folder(async (path) => {
    const directory = join(path, 'file');
    await writeFile(directory, 'in the way');
    using model = mlp();
    await using run = train.fit(model, options(directory));
    const events: train.TrainEvent[] = [];
    await rejects(
      (async () => {
        for await (const event of run) events.push(event);
      })(),
      'E_IO',
      /could not be written/,
    );
    assert.match(ofType(events, 'warning')[0]?.message ?? '', /a checkpoint was not written: .*file/);
    assert.equal(ofType(events, 'step').length, 24);
  });
});
