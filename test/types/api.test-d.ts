// What the types promise. Nothing here runs: the type check of `npm test` is the test. `@ts-expect-error` marks what must
// not compile.
import {
  AnnealError,
  autograd,
  capture,
  data,
  type device,
  type EnsembleReport,
  type ErrorCode,
  ensemble,
  keep,
  nn,
  ops,
  optim,
  type Profile,
  type ProfileRow,
  profile,
  report,
  type Scalar,
  schedule,
  scope,
  search,
  tensor,
  train,
  transfer,
} from '../../src/index.js';
import type { Tensor } from '../../src/tensor/tensor.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles when both types are the same. */
function is<A, B>(..._same: Same<A, B> extends true ? [] : [never]): void {}

export async function tensors(): Promise<void> {
  const floats = tensor([[1, 2]]);
  is<typeof floats, Tensor<'f32'>>();
  const ints = tensor(Int32Array.of(1));
  is<typeof ints, Tensor<'i32'>>();
  const bytes = tensor(Uint8Array.of(1), [1]);
  is<typeof bytes, Tensor<'u8'>>();
  const given = tensor([1, 2], [2], { dtype: 'i32' });
  is<typeof given, Tensor<'i32'>>();
  const leaf = tensor(1, [], { requiresGrad: true });
  is<typeof leaf, Tensor<'f32'>>();

  is<Awaited<ReturnType<typeof floats.data>>, Float32Array<ArrayBufferLike>>();
  is<Awaited<ReturnType<typeof ints.data>>, Int32Array<ArrayBufferLike>>();
  is<Awaited<ReturnType<typeof bytes.data>>, Uint8Array<ArrayBufferLike>>();
  is<typeof floats.grad, Tensor<'f32'> | null>();

  const zeros = ops.zeros([2, 2]);
  is<typeof zeros, Tensor<'f32'>>();
  const ids = ops.zeros([2], { dtype: 'i32' });
  is<typeof ids, Tensor<'i32'>>();

  const halves = floats.cast('f16');
  is<typeof halves, Tensor<'f16'>>();
  is<Awaited<ReturnType<typeof halves.data>>, Float32Array<ArrayBufferLike>>();
  const activated = ops.gelu(halves);
  is<typeof activated, Tensor<'f16'>>();
  const total = ops.sum(halves);
  is<typeof total, Tensor<'f32'>>();
  const product = ops.matmul(halves, halves);
  is<typeof product, Tensor<'f16' | 'f32'>>();
  const pooled = ops.avgPool2d(floats, 2);
  is<typeof pooled, Tensor<'f32'>>();

  using disposable = tensor([1]);
  disposable satisfies Disposable;

  // @ts-expect-error: a string is no value
  tensor(['1']);
  // @ts-expect-error: no such dtype
  tensor([1], [1], { dtype: 'f64' });
  // @ts-expect-error: shapes do not change
  floats.shape[0] = 3;
  // @ts-expect-error: nor do dtypes
  floats.dtype = 'i32';
}

export function captures(x: Tensor): void {
  const plain = capture((inputs: { x: Tensor }) => inputs.x);
  is<ReturnType<typeof plain>, Tensor>();
  plain({ x });
  // @ts-expect-error: it takes no scalars
  plain({ x }, { t: 1 });
  // @ts-expect-error: x is missing
  plain({});

  const step = capture((inputs: { x: Tensor }, { t }: { t: Scalar }) => ({ loss: inputs.x, t: t.value }));
  const { loss, t } = step({ x }, { t: 3 });
  is<typeof loss, Tensor>();
  is<typeof t, number>();
  // @ts-expect-error: t is missing
  step({ x });
  // @ts-expect-error: a scalar is a number
  step({ x }, { t: 'three' });
  using disposable = step;
  is<(typeof disposable.plans)[number]['arenaBytes'], number>();
}

export function scopes(): void {
  const one = scope(() => tensor([1]));
  is<typeof one, Tensor<'f32'>>();
  const several = scope(() => ({ a: tensor([1]), b: 2 }));
  is<typeof several, { a: Tensor<'f32'>; b: number }>();
  const kept = keep(tensor(Int32Array.of(1)));
  is<typeof kept, Tensor<'i32'>>();
}

export function gradients(x: Tensor): void {
  const df = autograd.grad((a) => ops.sum(a));
  is<ReturnType<typeof df>, Tensor<'f32'>[]>();
  // @ts-expect-error: a number is no tensor
  autograd.grad(() => 1);
  autograd.backward(x, undefined, { retainGraph: true });
  // @ts-expect-error: no such option
  autograd.backward(x, undefined, { keepGraph: true });
}

export function layers(): void {
  nn.sequential([nn.dense({ units: 3, activation: 'relu' }), nn.activation('gelu')]);
  nn.sequential({ first: nn.flatten() });
  const small = nn.models.mlp({ hidden: [8], outputs: 2, activation: 'gelu', dropout: 0.1 });
  is<typeof small, nn.Sequential>();
  // @ts-expect-error: outputs are needed
  nn.models.mlp({ hidden: [8] });
  // @ts-expect-error: padding is one of two
  nn.models.lenet({ padding: 'full' });
  // @ts-expect-error: units are needed
  nn.dense({});
  // @ts-expect-error: no such activation
  nn.dense({ units: 3, activation: 'swish' });
  // @ts-expect-error: no such padding
  nn.conv2d({ filters: 3, kernelSize: 3, padding: 'full' });
  // @ts-expect-error: optional is not the same as undefined
  nn.dense({ units: 3, activation: undefined });
}

export function schedules(): void {
  const rate = schedule.join([
    schedule.warmup({ from: 1e-4, to: 0.1, steps: 100, shape: 'exponential' }),
    schedule.perEpoch(schedule.cosine({ from: 0.1, steps: 10 }), { stepsPerEpoch: 50, continuous: true }),
  ]);
  is<typeof rate, schedule.Schedule>();
  schedule.exponential({ from: 1, k: 0.1 });
  schedule.exponential({ from: 1, gamma: 0.9, every: 10 });
  // @ts-expect-error: one of k and gamma
  schedule.exponential({ from: 1 });
  // @ts-expect-error: no such shape
  schedule.wsd({ max: 1, warmup: 1, stable: 1, decay: 1, shape: 'sqrt' });
  // @ts-expect-error: steps are needed
  schedule.oneCycle({ max: 1 });
  // @ts-expect-error: a number is no schedule
  schedule.chain([1]);
  // @ts-expect-error: steps of an epoch are needed
  schedule.perEpoch(rate, {});
}

export function recorded(): void {
  const recorder = report.record({
    dir: 'runs/first',
    config: { width: 8, rate: schedule.constant({ value: 1 }) },
    every: 2,
  });
  is<typeof recorder, report.Recorder>();
  const callbacks: train.Callback[] = [recorder, report.progress({ interval: 1000 })];
  is<ReturnType<typeof report.readRun>, Promise<report.RunReport>>();
  recorder.log({ f1: 0.5 });
  recorder.image('x', { width: 1, height: 1, channels: 1, data: new Uint8Array(1) });
  callbacks.pop();
  // @ts-expect-error: a folder is needed
  report.record({ title: 'first' });
  // @ts-expect-error: values are numbers
  recorder.log({ f1: 'high' });
  // @ts-expect-error: no image has five channels
  recorder.image('x', { width: 1, height: 1, channels: 5, data: new Uint8Array(1) });
  // @ts-expect-error: no such callback
  report.tensorboard();
}

export async function runs(model: nn.Module, loader: data.Loader): Promise<void> {
  const optimizer = optim.sgd({ lr: 0.1, momentum: 0.9, ema: { decay: 0.99 } });
  await using run = train.fit(model, { data: loader, epochs: 1, optimizer, callbacks: [train.earlyStopping()] });
  for await (const event of run) {
    is<typeof event, train.TrainEvent>();
    switch (event.type) {
      case 'step':
        is<typeof event, train.StepEvent>();
        is<typeof event.metrics.loss, number | undefined>();
        break;
      case 'epoch':
        is<typeof event, train.EpochEvent>();
        break;
      case 'warning':
        is<typeof event.message, string>();
        break;
      case 'resume':
        is<typeof event.from, string>();
        break;
      case 'stop':
        is<typeof event.reason, train.StopReason>();
        break;
      default:
        is<typeof event, never>();
    }
  }
  const { stopReason, best } = await run.result;
  is<typeof stopReason, train.StopReason>();
  is<typeof best, train.Best | null>();

  // @ts-expect-error: data is needed
  train.fit(model, { epochs: 1, optimizer });
  // @ts-expect-error: no such loss
  train.fit(model, { data: loader, epochs: 1, optimizer, loss: 'crossEntropy' });
  // @ts-expect-error: no such metric
  train.fit(model, { data: loader, epochs: 1, optimizer, metrics: ['f1'] });
  const own: train.Metric = { name: 'f1', fn: (output, target) => ops.mean(ops.sub(output, target)) };
  train.fit(model, { data: loader, epochs: 1, optimizer, metrics: ['accuracy', train.topK(5), own] });
  // @ts-expect-error: a metric is a tensor, so that nothing waits for the device
  train.fit(model, { data: loader, epochs: 1, optimizer, metrics: [{ name: 'f1', fn: () => 0.5 }] });
  // @ts-expect-error: a learning rate is needed
  optim.adam({});
  // @ts-expect-error: epsilon belongs to adam
  optim.sgd({ lr: 0.1, epsilon: 1e-8 });
}

export async function datasets(set: data.Dataset): Promise<void> {
  const [first] = set.folds(5, { stratify: true });
  is<NonNullable<typeof first>, { train: data.Dataset; validation: data.Dataset }>();
  const loader = set
    .filter((y, index) => y < 5 && index > 0)
    .shuffle()
    .batch(32);
  is<typeof loader, data.ArrayLoader>();
  const mapped = set.map(async ({ x }, { index, epoch }) => ({ x, y: index + epoch }), { onBad: 'skip' });
  is<typeof mapped, data.Dataset<data.MappedLoader>>();
  is<Awaited<ReturnType<typeof mapped.load>>, data.Dataset>();
  data
    .fromRecords(() => [{ x: [1, 2], y: 0 }, new Error('bad')], { batch: 2 })
    .shuffle({ buffer: 10 })
    .prefetch(2);
  is<ReturnType<typeof data.classWeights>, Float32Array>();
  const augmented = loader.augment([
    data.flip(),
    data.crop({ padding: 4, border: 'reflect' }),
    data.mixup({ alpha: 0.2 }),
  ]);
  is<typeof augmented, data.Loader>();
  is<Awaited<ReturnType<typeof data.csv>>, data.Dataset>();
  is<Awaited<ReturnType<typeof data.imageFolder>>, data.Dataset<data.MappedLoader>>();
  // @ts-expect-error: no such border
  data.crop({ border: 'wrap' });
  // @ts-expect-error: a size is needed
  data.cutout({});
  // @ts-expect-error: a column to predict is needed
  void data.csv('table.csv', {});
  // @ts-expect-error: mapped examples cannot be joined
  set.concat(mapped);
  // @ts-expect-error: a batch size is needed
  data.fromRecords(() => [], {});
  // @ts-expect-error: a stream's shuffle needs a buffer
  data.fromIterable(() => []).shuffle({ seed: 1 });
  // @ts-expect-error: an example has a target
  set.map(({ x }) => ({ x }));
}

export async function optimizers(optimizer: optim.Optimizer): Promise<void> {
  const falling = schedule.linear({ from: 0.1, steps: 10 });
  optim.adamw({
    lr: falling,
    betas: [schedule.oneCycleMomentum({ steps: 100 }), 0.99],
    weightDecay: falling,
    groups: [{ match: /bias/, lrScale: falling, weightDecay: 0 }],
    clipValue: 1,
    swa: { startStep: 10, every: 5 },
  });
  optim.sgd({ lr: 0.1, ema: { decay: falling, biasCorrection: true, startStep: 3 } });
  const larger = optim.scaleLearningRate({ base: 0.1, from: 128, to: 512 });
  is<typeof larger, number>();
  const scaled = optim.scaleLearningRate({ base: falling, from: 128, to: 512, rule: 'sqrt' });
  is<typeof scaled, schedule.Schedule>();
  // @ts-expect-error: a decay is needed
  optim.sgd({ lr: 0.1, ema: { biasCorrection: true } });
  using swapped = optimizer.swapIn();
  is<typeof swapped, Disposable>();
  optimizer.lrFactor = 0.5;
  optimizer.scaleRate(/bias/, 0.5);
  is<typeof optimizer.rateFactors, Readonly<Record<string, number>>>();
  is<Awaited<ReturnType<typeof optimizer.gradNorms>>, Record<string, number>>();
  is<Awaited<ReturnType<typeof optimizer.weightNorms>>, Record<string, number>>();
  const { averaging } = await optimizer.stateDict();
  is<typeof averaging, optim.AveragingState | undefined>();
}

export async function searches(): Promise<void> {
  const space = {
    lr: search.float(1e-4, 1, { log: true }),
    units: search.int(16, 256, { step: 16 }),
    optimizer: search.categorical(['sgd', 'adamw']),
    momentum: search.when({ optimizer: 'sgd' }, search.float(0, 0.99)),
  };
  const { best, stopReason } = await search.random({
    space,
    objective: async (parameters, trial) => {
      is<typeof parameters.lr, number>();
      is<typeof parameters.optimizer, 'sgd' | 'adamw'>();
      is<typeof parameters.momentum, number | undefined>();
      // @ts-expect-error: no such parameter
      void parameters.dropout;
      if (await trial.report(1, 0)) return Number.NaN;
      const callback = search.reporting(trial, { monitor: 'val_accuracy' });
      is<typeof callback, train.Callback>();
      return { value: parameters.lr, metrics: { epochs: 3 } };
    },
    trials: 10,
    pruner: search.medianPruner(),
    direction: 'maximize',
  });
  is<typeof stopReason, 'completed' | 'aborted' | 'failed'>();
  if (best) is<typeof best.parameters.units, number>();
  const gridded = await search.grid({
    space,
    objective: new URL('file:///objective.js'),
    workers: 2,
    points: { lr: 3 },
  });
  search.svg(gridded.trials, { parameters: ['lr'] });
  const defined = search.defineSearch({
    space,
    objective: ({ lr, optimizer }) => lr + (optimizer === 'sgd' ? 1 : 0),
    trials: 3,
  });
  is<typeof defined.space, typeof space>();
  // @ts-expect-error: no such parameter
  search.defineSearch({ space, objective: ({ rate }) => rate, trials: 3 });
  // @ts-expect-error: trials are needed
  await search.random({ space, objective: () => 1 });
  // @ts-expect-error: an objective gives a number
  await search.random({ space, objective: () => 'good', trials: 1 });
  // @ts-expect-error: no such direction
  await search.grid({ space, objective: () => 1, direction: 'up' });
  // @ts-expect-error: no such option
  search.float(0, 1, { base: 2 });
}

export async function ensembles(): Promise<void> {
  const model = nn.models.mlp({ hidden: [8], outputs: 2 });
  const cycles = ensemble.snapshots({ steps: 100, last: 3, weights: 'ema' });
  is<typeof cycles.kept, readonly nn.Weights[]>();
  const team = ensemble([model, ...cycles.kept.map((weights) => ({ model, weights }))], { outputs: 'logits' });
  const { test } = await data.mnist();
  const report = await team.evaluate({ data: test.batch(100), bins: 10 });
  report satisfies EnsembleReport;
  is<typeof report.disagreement, number>();
  is<Awaited<ReturnType<typeof team.predict>>, Tensor<'f32'>>();
  // @ts-expect-error: members are needed
  ensemble();
  // @ts-expect-error: a model is needed to run weights in
  ensemble(cycles.kept);
  // @ts-expect-error: no such weights
  ensemble.snapshots({ steps: 1, weights: 'swa' });
}

export async function transfers(): Promise<void> {
  const model = nn.models.mlp({ hidden: [8], outputs: 2 });
  is<ReturnType<typeof transfer.freeze>, string[]>();
  transfer.freeze(model, ['dense1']);
  transfer.unfreeze(model, (name) => name.startsWith('dense1'));
  // @ts-expect-error: a pattern, names or a function
  transfer.freeze(model, 'dense1');
  transfer.replaceHead(model, { units: 3, bias: false, seed: 1 });
  transfer.replaceHead(model, { layer: nn.dense({ units: 3 }) });
  // @ts-expect-error: units or a layer are needed
  transfer.replaceHead(model, { seed: 1 });
  const options = transfer.fineTune(model, { lr: 0.1, momentum: 0.9 }, { bodyScale: 0.2 });
  is<typeof options.momentum, number>();
  optim.sgd(options);
  // @ts-expect-error: a rate is needed
  transfer.fineTune(model, { momentum: 0.9 });
  is<ReturnType<typeof transfer.gradualUnfreezing>, train.Callback>();
  is<Awaited<ReturnType<typeof nn.loadWeights>>, nn.WeightsReport>();
  await nn.loadWeights('weights.safetensors', model, { match: /^dense1/, strict: false });
  await nn.saveWeights('weights.safetensors', model, { metadata: { task: 'digits' } });
}

export async function profiles(): Promise<void> {
  const seen = await profile(async () => 1, { events: 1000, limits: false });
  is<typeof seen, Profile<number>>();
  is<typeof seen.value, number>();
  is<typeof seen.table.rows, readonly ProfileRow[]>();
  is<ReturnType<typeof seen.write>, Promise<void>>();
  const [event] = seen.trace.traceEvents;
  is<NonNullable<typeof event>['ph'], 'X' | 'M'>();
  // @ts-expect-error: a function is needed
  await profile(1);
  // @ts-expect-error: no such option
  await profile(() => 1, { limit: true });
  // @ts-expect-error: no such grouping
  seen.tableBy('layer');
}

export function errors(error: unknown): ErrorCode | null {
  if (!(error instanceof AnnealError)) return null;
  is<typeof error.code, ErrorCode>();
  // @ts-expect-error: no such code
  if (error.code === 'E_NOPE') return null;
  return error.code;
}

// Devices by name; a precision is CUDA's.
declare const request: typeof device.request;
void request('cuda', { precision: 'tf32' });
void request('cuda:1');
void request('webgpu', { allowSoftware: true });
// @ts-expect-error: WebGPU has no such option
void request('webgpu', { precision: 'tf32' });
// @ts-expect-error: no such precision
void request('cuda', { precision: 'f64' });
