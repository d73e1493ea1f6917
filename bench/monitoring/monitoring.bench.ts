// npm run bench:monitoring [-- rounds]: what all monitoring together takes of a training step.
//
// The quickstart's net and batch of 128 are trained with and without `report.record` (metrics, update-to-weight ratios, gradient
// norm, memory, TensorBoard's events) and `report.progress`, in turns in one process; the first steps of each turn, in which the
// step is captured, are left out. What is compared is the sum of the times of the steps of a turn, of the quickest turns, for
// whatever else the machine does only adds to it; the median of all turns is printed too. Both vary by some percent from one time
// to the next, so what the callbacks' own code takes is measured as well, by the clock around it, and what the end of an epoch takes
// (histograms, images, the report).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { data, nn, optim, report, train } from '../../src/index.js';

const STEPS = 88;
const WARMUP = 8;
const rounds = Number(process.argv[2] ?? 6);

const folder = mkdtempSync(join(tmpdir(), 'anneal-monitoring-'));
const { train: trainSet } = await data.mnist();
const loader = trainSet
  .take(128 * STEPS)
  .shuffle()
  .batch(128);
const stream = new Writable({ write: (_chunk, _encoding, done) => done() });

/** Milliseconds within `onStep`, and how often it was called. */
const inside = { ms: 0, calls: 0 };

function timed(callback: train.Callback): train.Callback {
  return {
    ...callback,
    onStep(event, run) {
      const begun = performance.now();
      const result = callback.onStep?.(event, run);
      inside.ms += performance.now() - begun;
      inside.calls++;
      return result;
    },
  };
}

/** Milliseconds of the steps after the warm-up, and of what came after the last one. */
async function turn(callbacks: readonly train.Callback[]): Promise<{ steps: number; end: number }> {
  using model = nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });
  let begun = 0;
  let last = 0;
  const clock: train.Callback = {
    name: 'clock',
    onStep({ step }) {
      last = performance.now();
      if (step === WARMUP) begun = last;
    },
  };
  const optimizer = optim.sgd({ lr: 0.05, momentum: 0.9, weightDecay: 5e-4, ema: { decay: 0.99 } });
  await using run = train.fit(model, { data: loader, epochs: 1, seed: 1, optimizer, callbacks: [...callbacks, clock] });
  await run.result;
  return { steps: last - begun, end: performance.now() - last };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

try {
  const plain: { steps: number; end: number }[] = [];
  const monitored: { steps: number; end: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    plain.push(await turn([]));
    const dir = join(folder, `run${round}`);
    monitored.push(await turn([timed(report.record({ dir })), timed(report.progress({ stream }))]));
  }
  const steps = STEPS - WARMUP;
  const times = [plain, monitored].map((turns) => turns.map((turn) => turn.steps / steps));
  const ends = [plain, monitored].map((turns) =>
    quantile(
      turns.map((turn) => turn.end),
      0.5,
    ),
  );
  console.log(`CNN, batch 128, ${rounds} turns of ${steps} steps each; ms a step`);
  for (const [name, share] of [
    ['quickest turn', 0],
    ['median turn', 0.5],
  ] as const) {
    const [without = Number.NaN, all = Number.NaN] = times.map((each) => quantile(each, share));
    const overhead = `${(100 * (all / without - 1)).toFixed(2)}%`;
    console.log(
      `${name.padEnd(14)} ${without.toFixed(2)} without monitoring, ${all.toFixed(2)} with all of it: ${overhead}`,
    );
  }
  const own = (2 * inside.ms) / inside.calls; // two callbacks
  const share = (100 * own) / quantile(times[0] ?? [], 0.5);
  console.log(`code of the callbacks: ${own.toFixed(3)} ms a step, ${share.toFixed(2)}%`);
  console.log(`end of epoch and run: ${ends.map((end) => end.toFixed(0)).join(' and ')} ms`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
