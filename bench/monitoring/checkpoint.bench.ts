// npm run bench:checkpoint [-- rounds]: how long a checkpoint of 11 M parameters holds up training, and what a resumed run pays.
//
// A perceptron of 11.1 M parameters (SGD with momentum and EMA: 134 MB of state) takes steps of batch 128. `train.checkpoint`
// writes every 40th. Steps, JavaScript's waiting included, are timed from one step event to the next; what a checkpoint holds up
// is what the steps that it touches take beyond the median of those it does not, summed; the longest single one is what a
// watcher of the run would see. Then a run resumes from the last checkpoint: its steps against those of a run that began.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { data, nn, optim, train } from '../../src/index.js';

const EVERY = 40;
const STEPS = 160;
const rounds = Number(process.argv[2] ?? 3);

const folder = mkdtempSync(join(tmpdir(), 'anneal-checkpoint-'));
const { train: trainSet } = await data.mnist();
const loader = trainSet.take(128 * STEPS).batch(128);
const optimizer = optim.sgd({ lr: 0.01, momentum: 0.9, ema: { decay: 0.99 } });

/** Milliseconds of each step, from step 2 on. */
async function turn(callbacks: readonly train.Callback[], resume?: string, epochs = 1): Promise<number[]> {
  using model = nn.models.mlp({ hidden: [2560, 2560, 952], outputs: 10 });
  const times: number[] = [];
  let last = Number.NaN;
  const clock: train.Callback = {
    name: 'clock',
    onStep() {
      const now = performance.now();
      if (!Number.isNaN(last)) times.push(now - last);
      last = now;
    },
  };
  await using run = train.fit(model, {
    data: loader,
    epochs,
    seed: 1,
    optimizer,
    callbacks: [clock, ...callbacks],
    ...(resume !== undefined && { resume }),
  });
  await run.result;
  return times;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

try {
  using shape = nn.models.mlp({ hidden: [2560, 2560, 952], outputs: 10 });
  shape.build([28, 28, 1], 1);
  console.log(
    `${(shape.parameterCount / 1e6).toFixed(2)} M parameters, a checkpoint each ${EVERY} of ${STEPS} steps, ${rounds} turns`,
  );
  shape.dispose();
  const sums: number[] = [];
  const longest: number[] = [];
  const plainSteps: number[] = [];
  const resumedSteps: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const plain = (await turn([])).slice(EVERY / 2);
    const step = median(plain);
    plainSteps.push(step);
    const directory = join(folder, `round${round}`);
    const times = await turn([train.checkpoint({ directory, everySteps: EVERY, everyEpochs: 1 })]);
    // times[i] is of step i + 2; a checkpoint after step k is felt from step k + 1 on, until the next one at the latest.
    for (let at = EVERY; at + EVERY <= STEPS; at += EVERY) {
      const touched = times.slice(at - 1, at - 1 + EVERY);
      sums.push(touched.reduce((sum, time) => sum + (time - step), 0));
      longest.push(Math.max(...touched) - step);
    }
    resumedSteps.push(median((await turn([], directory, 2)).slice(EVERY / 2)));
  }
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  console.log(`step without checkpoints        ${ms(median(plainSteps))}`);
  console.log(
    `longest step beyond that        ${ms(median(longest))} (median checkpoint), ${ms(Math.max(...longest))} (worst)`,
  );
  console.log(
    `all that a checkpoint holds up  ${ms(median(sums))} (median), hashing and writing beside the steps included`,
  );
  const ratio = median(resumedSteps.map((time, i) => time / (plainSteps[i] ?? Number.NaN)));
  console.log(`step of a resumed run           ${ms(median(resumedSteps))}, ${(100 * (ratio - 1)).toFixed(1)}% more`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
