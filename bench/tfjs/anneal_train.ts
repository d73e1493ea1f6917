// Our side of `npm run bench:tfjs`: trains one job, read from standard input, in the same loop as bench/peers/tfjs_train.mjs.
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { autograd, device, ops, optim, scope, tensor } from '../../src/index.js';
import { inputShape, type Job, network } from './job.js';

const emit = (fields: object): boolean => process.stdout.write(`${JSON.stringify(fields)}\n`);

const job: Job = JSON.parse(readFileSync(0, 'utf8'));
const { net, batch, steps, lr, momentum, threads } = job;
device.setThreads(threads);
const pixels = readFileSync(job.imagesPath);
const labels = Int32Array.from(readFileSync(job.labelsPath));
const file = readFileSync(job.weightsPath);
const weights = new Float32Array(file.buffer, file.byteOffset, file.byteLength / 4);
const model = network(net);
model.build(inputShape(net), 0);
model.loadStateDict(
  new Map(
    job.weights.map(({ name, shape, offset }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: weights.slice(offset, offset + size) }];
    }),
  ),
);
const { isa } = device.cpuInfo();
emit({ peer: 'anneal', version: process.env.npm_package_version ?? '', detail: `${isa} kernels, ${threads} threads` });
const optimizer = optim.create(optim.sgd({ lr, momentum }), model.namedParameters());
const shape = [batch, ...inputShape(net)];
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const startMb = process.memoryUsage().rss / 2 ** 20;
const images = new Float32Array(batch * 784);
for (let step = 0; step < steps; step++) {
  for (let i = 0; i < images.length; i++) images[i] = (pixels[step * images.length + i] ?? 0) / 255;
  if (step === 2) delay.reset(); // the first steps load and compile
  const start = performance.now();
  const loss = scope(() => {
    const x = tensor(images, shape);
    const y = tensor(labels.subarray(step * batch, (step + 1) * batch), [batch]);
    const value = ops.softmaxCrossEntropy(model.forward(x, { training: true, seed: 0, step }), y);
    optimizer.zeroGrad();
    autograd.backward(value);
    optimizer.step();
    return value.detach();
  });
  const value = await loss.item();
  loss.dispose();
  emit({ step, loss: value, ms: performance.now() - start });
  await new Promise((done) => setImmediate(done)); // both sides let the event loop turn once a step
}
delay.disable();
emit({ done: true, startMb, peakMb: process.resourceUsage().maxRSS / 1024, loopDelayMs: delay.max / 1e6 });
process.exit(0);
