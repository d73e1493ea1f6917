// `npm run bench:tfjs`: the same net, weights, images, order and number of steps in anneal and in TensorFlow.js.
//
// tfjs-wasm, its fastest backend in Node.js, has no gradients of convolutions, so it trains the MLP; the CNN is trained by
// tfjs-webgpu, or by tfjs-cpu where there is no adapter, for fewer steps.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { installPeers, peersFolder } from '../../src/bench/peer_install.js';
import { peerEnvironment } from '../../src/bench/peers.js';
import { tableHead, tableRow } from '../../src/report/text_table.js';
import { type Job, type JobOptions, prepareJob } from './job.js';
import { agreementText, type Comparison, caveat, type OpSupport, renderStory, rows, titleOf } from './page.js';
import { annealCommand, compareLosses, runSide, type SideResult, tfjsCommand } from './side.js';

interface Options {
  readonly net: 'mlp' | 'cnn' | 'both';
  readonly backend?: string;
  readonly steps?: number;
  readonly batch?: number;
  readonly threads: number;
  readonly seed: number;
  readonly out: string;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Expected an integer of at least 1.');
  return value;
}

const options: Options = new Command('bench:tfjs')
  .addOption(new Option('--net <name>', 'what is trained').choices(['mlp', 'cnn', 'both']).default('both'))
  .addOption(
    new Option('--backend <name>', 'of tfjs, instead of the fastest that can').choices(['cpu', 'wasm', 'webgpu']),
  )
  .option('--steps <count>', 'training steps', positive)
  .option('--batch <count>', 'images a step', positive)
  .option('--threads <count>', "anneal's CPU threads", positive, availableParallelism())
  .option('--seed <number>', 'of the weights and of the order of the images', positive, 1)
  .option('--out <folder>', 'where the page and the figures go', 'runs/bench-tfjs')
  .parse()
  .opts();

/** What is tried for a net, in this order. On a CPU, a CNN step of tfjs takes a second for each few images. */
const attempts = {
  mlp: [{ backend: 'wasm', batch: 64, steps: 500 }],
  cnn: [
    { backend: 'webgpu', batch: 16, steps: 12 },
    { backend: 'cpu', batch: 4, steps: 8 },
  ],
};

function trained(name: string, command: readonly string[], job: Job): Promise<SideResult> {
  let shown = performance.now();
  return runSide(name, command, job, (step) => {
    if (performance.now() - shown < 5000) return;
    shown = performance.now();
    console.error(`  ${name}: step ${step}/${job.steps}`);
  });
}

async function compare(job: JobOptions): Promise<Comparison | string> {
  using prepared = await prepareJob(job);
  const [ours, theirs] = ['anneal', `tfjs-${job.backend}`];
  console.error(`${job.net}, batch ${job.batch}, ${job.steps} steps: ${ours} and ${theirs}`);
  const sides: SideResult[] = [
    await trained(ours, annealCommand, prepared.job),
    await trained(theirs, tfjsCommand, prepared.job),
  ];
  const [anneal, tfjs] = sides;
  for (const side of sides) if ('missing' in side) return `${job.net} with ${side.name}: ${side.missing}`;
  if (!anneal || !tfjs || 'missing' in anneal || 'missing' in tfjs) return 'no result';
  return { job: prepared.job, anneal, tfjs, agreement: compareLosses(anneal.losses, tfjs.losses) };
}

function readSupport(): { support: OpSupport[]; optimizers: string[] } {
  const { stdout } = spawnSync(process.execPath, [join(peersFolder, 'tfjs_train.mjs'), 'ops'], {
    encoding: 'utf8',
    env: peerEnvironment(1),
  });
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const found: ({ use: string } & OpSupport & { optimizers?: string[] })[] = lines.map((line) => JSON.parse(line));
  return {
    support: found.filter(({ use }) => use !== undefined),
    optimizers: found.find((line) => line.optimizers)?.optimizers ?? [],
  };
}

const absent = await installPeers({});
if (absent !== null) {
  console.error(`bench:tfjs: ${absent}`);
  process.exit(1);
}
const comparisons: Comparison[] = [];
const notes: string[] = [];
for (const net of options.net === 'both' ? (['mlp', 'cnn'] as const) : [options.net]) {
  const known = attempts[net];
  const tries = options.backend ? [{ ...known.at(-1)!, backend: options.backend }] : known;
  for (const attempt of tries) {
    const { threads, seed, steps = attempt.steps, batch = attempt.batch } = options;
    const found = await compare({ net, backend: attempt.backend, batch, steps, threads, seed });
    if (typeof found !== 'string') {
      comparisons.push(found);
      break;
    }
    console.error(found);
    notes.push(found);
  }
}

const widths = [30, 12, 12, 8];
for (const comparison of comparisons) {
  const { tfjs, anneal, agreement } = comparison;
  console.log(`\n${titleOf(comparison)}`);
  console.log(`anneal: ${anneal.detail}; tfjs ${tfjs.version}: ${tfjs.detail}`);
  console.log(tableHead(['', 'anneal', tfjs.name, ''], widths));
  for (const cells of rows(comparison)) console.log(tableRow(cells, widths));
  console.log(agreementText(agreement));
  if (caveat(comparison)) console.log(caveat(comparison));
}
const { support, optimizers } = readSupport();
console.log('\ntfjs cannot run');
for (const { use, lacks } of support)
  for (const [backend, kernels] of Object.entries(lacks))
    if (kernels.length > 0) console.log(`  ${backend.padEnd(7)} ${use} (${kernels.join(', ')})`);
console.log(`its optimizers: ${optimizers.join(', ')}; no weight decay, no moving average of the weights`);

const out = resolve(options.out);
mkdirSync(out, { recursive: true });
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  date: new Date().toISOString(),
};
const story = { comparisons, notes, support, machine };
writeFileSync(join(out, 'report.json'), `${JSON.stringify(story, null, 1)}\n`);
writeFileSync(join(out, 'report.html'), await renderStory(story));
console.log(`\nPage    ${relative(process.cwd(), join(out, 'report.html'))}`);
console.log(`Figures ${relative(process.cwd(), join(out, 'report.json'))}`);
if (comparisons.length === 0 || !comparisons.every(({ agreement }) => agreement.agree)) process.exitCode = 1;
