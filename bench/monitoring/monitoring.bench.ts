// npm run bench:monitoring [-- rounds]: what all monitoring together takes of a training step.
//
// The quickstart's net and batch of 128 are trained with and without `report.record` (metrics, update-to-weight ratios, gradient
// norm, memory, TensorBoard's events) and `report.progress`, in turns in one process; the first steps of each turn, in which the
// step is captured, are left out. What is compared is the sum of the times of the steps of a turn; what is printed is the median
// over all turns, the quartiles of their ratio, and what the end of an epoch takes (histograms, images, the report).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { data, nn, optim, report, train } from '../../src/index.js';

const STEPS = 40;
const WARMUP = 8;
const rounds = Number(process.argv[2] ?? 9);

const folder = mkdtempSync(join(tmpdir(), 'anneal-monitoring-'));
const { train: trainSet } = await data.mnist();
const loader = trainSet
  .take(128 * STEPS)
  .shuffle()
  .batch(128);
const stream = new Writable({ write: (_chunk, _encoding, done) => done() });

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
    monitored.push(await turn([report.record({ dir }), report.progress({ stream })]));
  }
  const steps = STEPS - WARMUP;
  const [without, all] = [plain, monitored].map(
    (turns) =>
      quantile(
        turns.map(({ steps }) => steps),
        0.5,
      ) / steps,
  );
  const ratios = monitored.map((turn, i) => turn.steps / (plain[i]?.steps ?? Number.NaN));
  const percent = (ratio: number): string => `${(100 * (ratio - 1)).toFixed(2)}%`;
  const [end, endMonitored] = [plain, monitored].map((turns) =>
    quantile(
      turns.map((turn) => turn.end),
      0.5,
    ),
  );
  console.log(`CNN, batch 128, ${rounds} turns of ${steps} steps each`);
  console.log(`step without monitoring  ${without?.toFixed(2)} ms`);
  console.log(`step with all of it      ${all?.toFixed(2)} ms`);
  console.log(
    `overhead, median turn    ${percent(quantile(ratios, 0.5))}  (quartiles ${percent(quantile(ratios, 0.25))}, ${percent(quantile(ratios, 0.75))})`,
  );
  console.log(`end of epoch and run     ${end?.toFixed(0)} ms without, ${endMonitored?.toFixed(0)} ms with`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
