// node --import tsx bench/training/random_against_grid.ts: docs/random-against-grid.svg.
//
// Random search against a grid of as many trials, where few parameters matter (Bergstra and Bengio 2012). A perceptron learns 1000 MNIST
// digits; searched are the learning rate, which matters, weight decay and label smoothing, which hardly do here. A grid of 27 trials
// has 3 values of each and so looks at 3 learning rates, 27 random trials look at 27; likewise for 8 and 64. Accuracy on 2000 other
// images; the same for seeds 1 to 10 of weights, order and draws.
import { writeFileSync } from 'node:fs';
import { data, nn, optim, search, train } from '../../src/index.js';
import { median, percent, printTable } from './table.js';

const seeds = Array.from({ length: 10 }, (_, i) => i + 1);
/** Points of each parameter on a grid. */
const sizes = [2, 3, 4];
const SHOWN = 3;
const space = {
  lr: search.float(1e-3, 10, { log: true }),
  weightDecay: search.float(1e-8, 1e-4, { log: true }),
  labelSmoothing: search.float(0, 0.05),
};
type Ended = readonly search.TrialRecord<typeof space>[];

const { train: images } = await data.mnist();
const loader = images.take(1000).shuffle().batch(50);
const validation = images.skip(50_000).take(2000).batch(500);

const objective =
  (seed: number): search.Objective<typeof space> =>
  async ({ lr, weightDecay, labelSmoothing }) => {
    using model = nn.models.mlp({ hidden: [32], outputs: 10 });
    try {
      const optimizer = optim.sgd({ lr, weightDecay });
      await using run = train.fit(model, { data: loader, epochs: 2, seed, optimizer, labelSmoothing });
      await run.result;
    } catch {
      return 0.1; // diverged: as good as guessing
    }
    return (await train.evaluate(model, { data: validation })).accuracy ?? Number.NaN;
  };

const started = performance.now();
const best: { readonly grid: number[]; readonly random: number[] }[] = [];
const shown: { grid: Ended; random: Ended } = { grid: [], random: [] };
for (const points of sizes) {
  const found = { grid: [] as number[], random: [] as number[] };
  for (const seed of seeds) {
    const options = { space, objective: objective(seed), direction: 'maximize', stopOnFailure: true } as const;
    const grid = await search.grid({ ...options, points });
    const random = await search.random({ ...options, trials: points ** 3, seed });
    found.grid.push(grid.best?.value ?? Number.NaN);
    found.random.push(random.best?.value ?? Number.NaN);
    if (points === SHOWN && seed === 1) Object.assign(shown, { grid: grid.trials, random: random.trials });
  }
  best.push(found);
}
printTable(
  ['trials', 'grid', 'random'],
  sizes.map((points, i) => [
    String(points ** 3),
    percent(median(best[i]?.grid ?? [])),
    percent(median(best[i]?.random ?? [])),
  ]),
);
console.log(`\n${((performance.now() - started) / 1e3).toFixed(0)} s`);

// The figure: what each search looked at, accuracy over the learning rate, and the best of each.
const [WIDTH, HEIGHT, TOP, BOTTOM] = [250, 210, 56, 48];
const [LOW, HIGH] = [0, 1];
const y = (accuracy: number): number => HEIGHT - BOTTOM + TOP - ((accuracy - LOW) / (HIGH - LOW)) * (HEIGHT - BOTTOM);
const at = (value: number): string => value.toFixed(1);
const text = (px: number, py: number, content: string, more = 'text-anchor="middle"'): string =>
  `<text x="${at(px)}" y="${at(py)}" ${more}>${content}</text>`;

function frame(left: number, title: string, below: string): string[] {
  const lines = [0, 0.25, 0.5, 0.75, 1].flatMap((tick) => [
    `<path class="line" d="M${left},${at(y(tick))}h${WIDTH - 60}"/>`,
    text(left - 6, y(tick) + 4, `${100 * tick}%`, 'text-anchor="end"'),
  ]);
  const middle = left + (WIDTH - 60) / 2;
  return [...lines, text(left, TOP - 18, title, 'class="title"'), text(middle, y(LOW) + 38, below)];
}

/** A panel of trials over the learning rate; bars below the axis mark the rates that were looked at. */
function overRate(left: number, title: string, trials: Ended, mark: string): string[] {
  const x = (lr: number): number => left + ((Math.log10(lr) + 3) / 4) * (WIDTH - 60);
  const ticks = [0.001, 0.01, 0.1, 1, 10].map((lr) => text(x(lr), y(LOW) + 20, String(lr)));
  const points = trials.map(({ parameters: { lr }, value }) => {
    const bar = `<path class="bar ${mark}" d="M${at(x(lr))},${at(y(LOW))}v-6"/>`;
    return `${bar}<circle class="${mark}" cx="${at(x(lr))}" cy="${at(y(value ?? 0))}" r="3.5"/>`;
  });
  return [...frame(left, title, 'learning rate'), ...ticks, ...points];
}

/** Dots of the best trials of each seed, and their median as a bar. */
function bests(left: number): string[] {
  const columns = best.flatMap((found, i) =>
    (['grid', 'random'] as const).flatMap((kind, k) => {
      const px = left + 22 + i * 62 + k * 22;
      const dots = found[kind].map((value) => `<circle class="${kind}" cx="${px}" cy="${at(y(value))}" r="2.5"/>`);
      return [...dots, `<path class="bar ${kind}" d="M${px - 8},${at(y(median(found[kind])))}h16"/>`];
    }),
  );
  const names = sizes.map((points, i) => text(left + 33 + i * 62, y(LOW) + 20, String(points ** 3)));
  return [...frame(left, 'Best of each search, 10 seeds', 'trials'), ...columns, ...names];
}

const count = SHOWN ** 3;
const parts = [
  ...overRate(52, `Grid: ${count} trials, ${SHOWN} rates`, shown.grid, 'grid'),
  ...overRate(52 + WIDTH, `Random: ${count} trials, ${count} rates`, shown.random, 'random'),
  ...bests(52 + 2 * WIDTH),
];
const size = `width="${3 * WIDTH + 10}" height="${HEIGHT + TOP}"`;
writeFileSync(
  new URL('../../docs/random-against-grid.svg', import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 ${3 * WIDTH + 10} ${HEIGHT + TOP}" ${size}>
<title>Random search against a grid: accuracy over the learning rate, and the best of each</title>
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #667085; } .title { font-weight: 600; fill: #1b2230; }
.page { fill: #ffffff; } .line { stroke: #e9ebf0; } circle { fill-opacity: .6; } .bar { stroke-width: 2; }
.grid { fill: #e8710a; stroke: none; } .random { fill: #2563eb; stroke: none; } .bar.grid { stroke: #e8710a; } .bar.random { stroke: #2563eb; }
@media (prefers-color-scheme: dark) { text { fill: #95a0b2; } .title { fill: #e6e9ef; } .page { fill: #181e27; } .line { stroke: #2a323f; } }
</style>
<rect width="100%" height="100%" rx="8" class="page"/>
${parts.join('\n')}
</svg>
`,
);
