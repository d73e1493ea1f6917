// TensorFlow.js as a peer of the benchmark: `node tfjs.mjs cpu|wasm|webgpu`, protocol in README.md.
import { emit, firstLine, missing, readRequest, timeWorks } from './lib.mjs';
import { network, startTfjs } from './tfjs_start.mjs';

const name = process.argv[2];
console.log = console.error; // standard output is the protocol's

const request = await readRequest();
const { tf, detail } = await startTfjs(name, request).catch((error) => missing(firstLine(error)));
const random = (...shape) => tf.randomNormal(shape, 0, 1, 'float32', request.seed);
const backend = tf.backend();

/** Waits for the device; the other backends have computed when the call returns. */
const settle =
  name === 'webgpu'
    ? async () => {
        // As its own reads do: end the pass, submit, wait.
        backend.ensureCommandEncoderReady();
        backend.endComputePassEncoder();
        backend.submitQueue();
        await backend.queue.onSubmittedWorkDone();
      }
    : () => undefined;

/** f(...inputs), in which nothing is kept. */
function calling(inputs, f) {
  return {
    run: () => {
      tf.dispose(tf.tidy(() => f(...inputs)));
      return settle();
    },
    dispose: () => tf.dispose(inputs),
  };
}

/** The work's pass of f(...inputs): its value alone, or its gradients for all inputs with a random gradient. */
function passing(work, inputs, f) {
  if (work.pass === 'fwd') return calling(inputs, f);
  const shape = tf.tidy(() => f(...inputs).shape);
  const dy = shape.length === 0 ? undefined : random(...shape);
  const gradients = tf.grads(f);
  const { run, dispose } = calling(inputs, () => gradients(inputs, dy));
  return {
    run,
    dispose: () => {
      dispose();
      tf.dispose(dy ?? []);
    },
  };
}

const labels = (rows, columns) =>
  tf.tidy(() =>
    tf
      .oneHot(
        tf.tensor1d(
          Array.from({ length: rows }, (_, i) => (i * 7) % columns),
          'int32',
        ),
        columns,
      )
      .toFloat(),
  );

const conv = (depthwise) => (work) => {
  const { n, h, w, c, oc, size, stride, pad } = work;
  const inputs = [random(n, h, w, c), random(size, size, c, depthwise ? 1 : oc)];
  const f = depthwise ? tf.depthwiseConv2d : tf.conv2d;
  return passing(work, inputs, (x, k) => f(x, k, stride, pad, 'NHWC', [1, 1], 'floor'));
};

const kinds = {
  sgemm: ({ batch, m, n, k, transA, transB }) => {
    const lead = batch > 1 ? [batch] : [];
    const inputs = [random(...lead, ...(transA ? [k, m] : [m, k])), random(...lead, ...(transB ? [n, k] : [k, n]))];
    return calling(inputs, (a, b) => tf.matMul(a, b, transA, transB));
  },
  conv2d: conv(false),
  depthwise_conv2d: conv(true),
  pool2d: (work) => {
    const { n, h, w, c, size, stride, mode } = work;
    const f = mode === 'max' ? tf.maxPool : tf.avgPool;
    return passing(work, [random(n, h, w, c)], (x) => f(x, size, stride, 'valid'));
  },
  batch_norm: (work) => {
    const { rows, columns } = work;
    return passing(work, [random(rows, columns), random(columns), random(columns)], (x, scale, shift) => {
      const { mean, variance } = tf.moments(x, 0);
      return tf.batchNorm(x, mean, variance, shift, scale, 1e-5);
    });
  },
  layer_norm: (work) => {
    const { rows, columns } = work;
    return passing(work, [random(rows, columns), random(columns), random(columns)], (x, scale, shift) => {
      const { mean, variance } = tf.moments(x, 1, true);
      return x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(scale).add(shift);
    });
  },
  softmax_cross_entropy: (work) => {
    const y = labels(work.rows, work.columns);
    const { run, dispose } = passing(work, [random(work.rows, work.columns)], (x) =>
      tf.losses.softmaxCrossEntropy(y, x),
    );
    return {
      run,
      dispose: () => {
        dispose();
        y.dispose();
      },
    };
  },
  elementwise: ({ op, n }) => {
    const ops = {
      add: (a, b) => a.add(b),
      chain: (a, b, c) => a.mul(b).add(c).relu(),
      relu: (a) => a.relu(),
      gelu: (a) => a.mul(0.5).mul(a.mul(Math.SQRT1_2).erf().add(1)),
      tanh: (a) => a.tanh(),
    };
    return calling(
      Array.from({ length: ops[op].length }, () => random(n)),
      ops[op],
    );
  },
  // tfjs has neither weight decay nor a moving average: both are written with its ops, as its users do.
  optimizer: ({ rule, shapes }) => {
    const parameters = shapes.map((shape, i) => tf.variable(random(...shape), true, `p${i}`));
    const gradients = shapes.map((shape) => random(...shape));
    const averages = parameters.map((p) => tf.variable(p.clone(), false));
    const [lr, decay] = [1e-6, 1e-4];
    const optimizer = rule === 'sgd' ? tf.train.momentum(lr, 0.9) : tf.train.adam(lr);
    const update = () => {
      const steps = gradients.map((g, i) => (rule === 'sgd' ? g.add(parameters[i].mul(decay)) : g));
      if (rule === 'adamw') for (const p of parameters) p.assign(p.mul(1 - lr * decay));
      optimizer.applyGradients(Object.fromEntries(steps.map((g, i) => [`p${i}`, g])));
      averages.forEach((average, i) => {
        average.assign(average.mul(0.999).add(parameters[i].mul(0.001)));
      });
    };
    return {
      run: () => {
        tf.tidy(update);
        return settle();
      },
      dispose: () => {
        tf.dispose([...parameters, ...gradients, ...averages]);
        optimizer.dispose();
      },
    };
  },
  train: ({ net, batch }) => {
    const model = network(tf, net);
    const x = net === 'mlp' ? random(batch, 784) : random(batch, 28, 28, 1);
    const y = labels(batch, 10);
    const optimizer = tf.train.momentum(1e-3, 0.9);
    const run = async () => {
      const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true })), true);
      await loss.data();
      loss.dispose();
    };
    return {
      run,
      dispose: () => {
        tf.dispose([x, y]);
        model.dispose();
        optimizer.dispose();
      },
    };
  },
  overhead: ({ times }) =>
    calling([random(1), random(1)], (a, b) =>
      tf.tidy(() => {
        let sum = tf.add(a, b);
        for (let i = 1; i < times; i++) sum = tf.add(sum, b);
        return sum;
      }),
    ),
};

emit({ peer: `tfjs-${name}`, version: tf.version.tfjs, detail });
await timeWorks(request, kinds);
process.exit(0);
