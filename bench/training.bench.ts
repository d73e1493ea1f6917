// Training steps, eager, against PyTorch in a process of its own: `npm run bench`.
//
// train_cnn_b128: conv 5x5 1->32, conv 5x5 32->64 (both same padding, relu, max pool 2), dense 3136->256->10, batch 128,
// cross-entropy, SGD with momentum. Both sides use the same number of threads and take the median of their steps.
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { autograd, device, nn, ops, optim, scope, tensor } from '../src/index.js';

const WORK = 'train_cnn_b128';
const BATCH = 128;
const WARM_UP = 3;
const STEPS = 25;
const PYTHON = '/usr/bin/python3';

interface Figures {
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  readonly steps: number;
}

function figures(times: readonly number[]): Figures {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (i: number): number => sorted[i] ?? Number.NaN;
  return { msMedian: at(sorted.length >> 1), msMin: at(0), msMax: at(sorted.length - 1), steps: sorted.length };
}

async function anneal(threads: number): Promise<Figures> {
  device.setThreads(threads);
  const model = nn.sequential([
    nn.conv2d({ filters: 32, kernelSize: 5, padding: 'same', activation: 'relu' }),
    nn.maxPool2d(2),
    nn.conv2d({ filters: 64, kernelSize: 5, padding: 'same', activation: 'relu' }),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.dense({ units: 256, activation: 'relu' }),
    nn.dense({ units: 10 }),
  ]);
  model.build([28, 28, 1], 0);
  const optimizer = optim.create(optim.sgd({ lr: 1e-3, momentum: 0.9 }), model.namedParameters());
  const x = ops.normal([BATCH, 28, 28, 1], { seed: 1 });
  const labels = Int32Array.from({ length: BATCH }, (_, i) => (i * 7) % 10);
  const y = tensor(labels, [BATCH]);
  const step = async (): Promise<number> => {
    const loss = scope(() => {
      const value = ops.softmaxCrossEntropy(model.forward(x, { training: true, seed: 0, step: 0 }), y);
      optimizer.zeroGrad();
      autograd.backward(value);
      optimizer.step();
      return value.detach();
    });
    const value = await loss.item();
    loss.dispose();
    return value;
  };
  // A step that does not learn is not worth timing.
  const first = await step();
  let last = first;
  for (let i = 0; i < WARM_UP; i++) last = await step();
  const times: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const start = performance.now();
    last = await step();
    times.push(performance.now() - start);
  }
  if (!(last < first))
    throw new Error(`${WORK}: expected the loss to fall on one batch, went from ${first} to ${last}`);
  return figures(times);
}

/** Below this, PyTorch's sgemm is the reference BLAS, not an optimised one. */
const SLOW_BLAS_GFLOPS = 20;

function pytorch(threads: number): Figures | string {
  const script = fileURLToPath(new URL('./peers/train_cnn.py', import.meta.url));
  const { status, stdout, stderr, error } = spawnSync(PYTHON, [script, String(threads), String(STEPS)], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  });
  if (error || status !== 0) {
    const reason = error?.message ?? stderr.trim().split('\n').at(-1) ?? `status ${status}`;
    return `not measured: ${reason} (Debian's python3-torch brings it)`;
  }
  const { ms, sgemmGflops }: { ms: number[]; sgemmGflops: number } = JSON.parse(stdout);
  if (sgemmGflops < SLOW_BLAS_GFLOPS) {
    return `not a fair peer: its sgemm reaches ${sgemmGflops.toFixed(1)} GFLOP/s, so it runs on the reference BLAS; install libopenblas0-pthread`;
  }
  console.log(`          (pytorch's sgemm 512: ${sgemmGflops.toFixed(0)} GFLOP/s)`);
  return figures(ms);
}

const threads = Number(process.env.ANNEAL_NUM_THREADS ?? availableParallelism());
console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, ${device.cpuInfo().isa} kernels, ${threads} threads, Node ${process.version}`,
);
const show = (name: string, f: Figures): void => {
  const imagesPerSecond = Math.round((BATCH / f.msMedian) * 1e3);
  console.log(
    `${name.padEnd(9)} ${f.msMedian.toFixed(1)} ms a step (median of ${f.steps}; ${f.msMin.toFixed(1)} to ${f.msMax.toFixed(1)}), ${imagesPerSecond} images/s`,
  );
};
console.log(WORK);
const ours = await anneal(threads);
show('anneal', ours);
const theirs = pytorch(threads);
if (typeof theirs === 'string') console.log(`pytorch   ${theirs}`);
else {
  show('pytorch', theirs);
  console.log(`ratio     ${(theirs.msMedian / ours.msMedian).toFixed(2)} (pytorch's time / ours)`);
}
