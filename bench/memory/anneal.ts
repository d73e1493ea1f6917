// Our side of `npm run bench:memory`: trains the benchmark's CNN in one way and tells how much memory that took, as JSON.
import { autograd, capture, device, nn, ops, optim, scope, type Tensor, tensor } from '../../src/index.js';

const [batch, threads, net, way] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4], process.argv[5]];
const DEPTH = 24;
const WIDTH = 512;

/** The benchmark's CNN, or a deep net of equal layers, each of which may be a checkpoint. */
function build(): { model: nn.Sequential; shape: number[] } {
  if (net === 'cnn') {
    return { model: nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] }), shape: [28, 28, 1] };
  }
  const layer = (): nn.Module =>
    nn.sequential([nn.dense({ units: WIDTH }), nn.layerNorm(), nn.activation('gelu'), nn.dense({ units: WIDTH })]);
  const layers = Array.from({ length: DEPTH }, () => (net === 'checkpoints' ? nn.checkpointed(layer()) : layer()));
  return { model: nn.sequential([...layers, nn.dense({ units: 10 })]), shape: [WIDTH] };
}

device.setThreads(threads);
const residentBefore = process.resourceUsage().maxRSS * 1024;
const { model, shape } = build();
model.build(shape, 1);
const optimizer = optim.create(optim.sgd({ lr: 1e-3, momentum: 0.9 }), model.namedParameters());
const x = ops.normal([batch, ...shape], { seed: 1 });
const y = tensor(Int32Array.from({ length: batch }, (_, i) => (i * 7) % 10));

function update(inputs: { x: Tensor; y: Tensor }): Tensor {
  const logits = model.forward(inputs.x, { training: true, seed: 1, step: 0 });
  const loss = ops.softmaxCrossEntropy(logits, inputs.y);
  optimizer.zeroGrad();
  autograd.backward(loss);
  optimizer.step();
  return loss;
}

const captured = capture(update);
const step = way === 'eager' ? (inputs: { x: Tensor; y: Tensor }): Tensor => scope(() => update(inputs)) : captured;
let held = 0;
let first = 0;
let last = 0;
for (let i = 0; i < 4; i++) {
  const loss = step({ x, y });
  held = device.memory().liveBytes;
  last = await loss.item();
  if (i === 0) first = last;
  loss.dispose();
}
if (!(last < first)) throw new Error(`expected the loss to fall on one batch, went from ${first} to ${last}`);
const { peakBytes } = device.memory();
console.log(
  JSON.stringify({
    // A replay makes nothing but its results: what is alive while they are is all it ever has.
    peakBytes: way === 'eager' ? peakBytes : held,
    withRecording: peakBytes,
    arenaBytes: captured.plans[0]?.arenaBytes ?? null,
    temporaryBytes: captured.plans[0]?.temporaryBytes ?? null,
    residentGrowth: process.resourceUsage().maxRSS * 1024 - residentBefore,
  }),
);
