// The tfjs side of `npm run bench:tfjs`: `node tfjs_train.mjs train` trains one job of bench/tfjs/job.ts, read from stdin;
// `node tfjs_train.mjs ops` prints which kernels each backend has.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { emit, firstLine, missing, readRequest } from './lib.mjs';
import { network, startTfjs } from './tfjs_start.mjs';

console.log = console.error; // standard output is the protocol's

async function train() {
  const job = await readRequest();
  const { tf, detail } = await startTfjs(job.backend, job).catch((error) => missing(firstLine(error)));
  const { net, batch, steps, lr, momentum } = job;
  const pixels = readFileSync(job.imagesPath);
  const labels = readFileSync(job.labelsPath);
  const weights = readFileSync(job.weightsPath);
  const model = network(tf, net);
  model.setWeights(
    job.weights.map(({ shape, offset }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return tf.tensor(
        new Float32Array(weights.buffer.slice(weights.byteOffset + offset * 4).slice(0, size * 4)),
        shape,
      );
    }),
  );
  emit({ peer: `tfjs-${job.backend}`, version: tf.version.tfjs, detail });
  const optimizer = tf.train.momentum(lr, momentum);
  const shape = net === 'mlp' ? [batch, 784] : [batch, 28, 28, 1];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startMb = process.memoryUsage().rss / 2 ** 20;
  const images = new Float32Array(batch * 784);
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < images.length; i++) images[i] = pixels[step * images.length + i] / 255;
    if (step === 2) delay.reset(); // the first steps load and compile
    const start = performance.now();
    const x = tf.tensor(images.slice(), shape);
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d(labels.subarray(step * batch, (step + 1) * batch), 'int32'), 10));
    const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true })), true);
    const [value] = await loss.data();
    tf.dispose([x, y, loss]);
    emit({ step, loss: value, ms: performance.now() - start });
    await new Promise((done) => setImmediate(done)); // both sides let the event loop turn once a step
  }
  delay.disable();
  emit({ done: true, startMb, peakMb: process.resourceUsage().maxRSS / 1024, loopDelayMs: delay.max / 1e6 });
}

/** What training uses, and the kernels of tfjs it needs. */
const uses = {
  'matrix product': ['BatchMatMul', '_FusedMatMul'],
  'conv2d, forward': ['Conv2D', 'FusedConv2D'],
  'conv2d, gradient of the input': ['Conv2DBackpropInput'],
  'conv2d, gradient of the weights': ['Conv2DBackpropFilter'],
  'depthwise conv2d, forward': ['DepthwiseConv2dNative'],
  'depthwise conv2d, gradient of the input': ['DepthwiseConv2dNativeBackpropInput'],
  'depthwise conv2d, gradient of the weights': ['DepthwiseConv2dNativeBackpropFilter'],
  'max pooling, forward': ['MaxPool'],
  'max pooling, gradient': ['MaxPoolGrad'],
  'average pooling, gradient': ['AvgPoolGrad'],
  'batch norm': ['FusedBatchNorm'],
  'softmax cross-entropy': ['Softmax'],
  'embedding, gradient': ['UnsortedSegmentSum'],
  'image resizing, gradient': ['ResizeBilinearGrad'],
  GELU: ['Erf'],
};

function ops() {
  const require = createRequire(import.meta.url);
  console.warn = () => {};
  const tf = require('@tensorflow/tfjs');
  const backends = ['cpu', 'wasm', 'webgpu'];
  for (const backend of backends.slice(1)) require(`@tensorflow/tfjs-backend-${backend}`);
  for (const [use, kernels] of Object.entries(uses)) {
    const lacking = (backend) => kernels.filter((kernel) => !tf.getKernel(kernel, backend));
    emit({ use, lacks: Object.fromEntries(backends.map((backend) => [backend, lacking(backend)])) });
  }
  emit({ optimizers: Object.keys(tf.train) });
}

await (process.argv[2] === 'ops' ? ops() : train());
process.exit(0);
