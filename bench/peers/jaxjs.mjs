// jax-js as a peer of the benchmark: `node jaxjs.mjs wasm|webgpu`, protocol in README.md. Every function is jitted, as its
// users do; images are NCHW, the only layout of its convolution.
import { createRequire } from 'node:module';
import { emit, firstLine, missing, readRequest, timeWorks } from './lib.mjs';

const device = process.argv[2];
console.log = console.error; // standard output is the protocol's

async function start() {
  const adapter = device === 'webgpu' ? await (await import('./webgpu.mjs')).installWebGpu(request) : null;
  const hardware = { hardwareConcurrency: request.threads };
  if (!adapter) Object.defineProperty(globalThis, 'navigator', { value: hardware, configurable: true });
  const jax = await import('@jax-js/jax');
  await jax.init(device);
  jax.defaultDevice(device);
  return { jax, detail: adapter ? `jitted, on ${adapter}` : 'jitted, WebAssembly with SIMD; one thread in Node.js' };
}

const request = await readRequest();
const { jax, detail } = await start().catch((error) => missing(firstLine(error)));
const { numpy: np, nn, lax, random, jit, tree, valueAndGrad, blockUntilReady } = jax;

let seed = request.seed;
const normal = (...shape) => random.normal(random.key(seed++), shape);

// Arrays are used up by the calls they are given to; `.ref` keeps one for the next call.
async function calling(inputs, f) {
  const compiled = jit(f);
  await blockUntilReady(inputs);
  return {
    run: async () => {
      const result = compiled(...inputs.map((x) => x.ref));
      await blockUntilReady(result);
      tree.dispose(result);
    },
    dispose: () => {
      compiled.dispose();
      tree.dispose(inputs);
    },
  };
}

/** The value of f(...inputs) alone, or also the gradients of its product with a random array. */
async function passing(work, inputs, f, shape) {
  if (work.pass === 'fwd') return calling(inputs, f);
  const argnums = inputs.map((_, i) => i);
  const scalar = shape ? (...all) => np.sum(f(...all.slice(0, -1)).mul(all.at(-1))) : f;
  return calling(shape ? [...inputs, normal(...shape)] : inputs, valueAndGrad(scalar, { argnums }));
}

const conv = (work) => {
  const { kind, n, h, w, c, oc, size, stride, pad } = work;
  const depthwise = kind === 'depthwise_conv2d';
  const out = (length) => Math.floor((length + 2 * pad - size) / stride) + 1;
  const padding = [
    [pad, pad],
    [pad, pad],
  ];
  const options = depthwise ? { featureGroupCount: c } : {};
  return passing(
    work,
    [normal(n, c, h, w), normal(oc, depthwise ? 1 : c, size, size)],
    (x, k) => lax.convGeneralDilated(x, k, [stride, stride], padding, options),
    [n, oc, out(h), out(w)],
  );
};

const oneHot = (rows, columns) =>
  nn.oneHot(
    np.array(
      Array.from({ length: rows }, (_, i) => (i * 7) % columns),
      { dtype: np.int32 },
    ),
    columns,
  );
const crossEntropy = (logits, y, rows) =>
  nn
    .logSoftmax(logits)
    .mul(y)
    .sum()
    .mul(-1 / rows);
const maxPool = (x, size, stride) => lax.reduceWindow(x, np.max, [size, size], [stride, stride]);

/** (x - mean) / deviation over an axis, times the scale, plus the shift. */
function normalised(x, scale, shift, axis) {
  const centred = x.ref.sub(np.mean(x, axis, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), axis, { keepdims: true });
  return centred
    .div(np.sqrt(variance.add(1e-5)))
    .mul(scale)
    .add(shift);
}

const normalisation = (axis) => (work) => {
  const { rows, columns } = work;
  const inputs = [normal(rows, columns), normal(columns), normal(columns)];
  return passing(work, inputs, (x, a, b) => normalised(x, a, b, axis), [rows, columns]);
};

const nets = {
  mlp: {
    input: (batch) => [batch, 784],
    shapes: { w1: [784, 128], b1: [128], w2: [128, 10], b2: [10] },
    forward: (p, x) => np.matmul(nn.relu(np.matmul(x, p.w1).add(p.b1)), p.w2).add(p.b2),
  },
  cnn: {
    input: (batch) => [batch, 1, 28, 28],
    shapes: {
      ...{ k1: [32, 1, 5, 5], c1: [32, 1, 1], k2: [64, 32, 5, 5], c2: [64, 1, 1] },
      ...{ w1: [3136, 256], b1: [256], w2: [256, 10], b2: [10] },
    },
    forward: (p, x) => {
      const block = (y, k, c) => maxPool(nn.relu(lax.conv(y, k, [1, 1], 'SAME').add(c)), 2, 2);
      const y = block(block(x, p.k1, p.c1), p.k2, p.c2);
      const hidden = nn.relu(np.matmul(np.reshape(y, [-1, 3136]), p.w1).add(p.b1));
      return np.matmul(hidden, p.w2).add(p.b2);
    },
  },
};

const kinds = {
  sgemm: ({ batch, m, n, k, transA, transB }) => {
    const lead = batch > 1 ? [batch] : [];
    const turned = (x, is) => (is ? np.swapaxes(x, -1, -2) : x);
    return calling(
      [normal(...lead, ...(transA ? [k, m] : [m, k])), normal(...lead, ...(transB ? [n, k] : [k, n]))],
      (a, b) => np.matmul(turned(a, transA), turned(b, transB)),
    );
  },
  conv2d: conv,
  depthwise_conv2d: conv,
  pool2d: (work) => {
    const { n, h, w, c, size, stride, mode } = work;
    const out = (length) => Math.floor((length - size) / stride) + 1;
    const reduce = mode === 'max' ? np.max : np.mean;
    const f = (x) => lax.reduceWindow(x, reduce, [size, size], [stride, stride]);
    return passing(work, [normal(n, c, h, w)], f, [n, c, out(h), out(w)]);
  },
  batch_norm: normalisation(0),
  layer_norm: normalisation(-1),
  softmax_cross_entropy: (work) => {
    const { rows, columns, pass } = work;
    const inputs = [normal(rows, columns), oneHot(rows, columns)];
    const f = (x, y) => crossEntropy(x, y, rows);
    return calling(inputs, pass === 'fwd' ? f : valueAndGrad(f));
  },
  elementwise: ({ op, n }) => {
    const ops = {
      add: (a, b) => a.add(b),
      chain: (a, b, c) => nn.relu(a.mul(b).add(c)),
      relu: (a) => nn.relu(a),
      gelu: (a) => nn.gelu(a, { approximate: false }),
      tanh: (a) => np.tanh(a),
    };
    return calling(
      Array.from({ length: ops[op].length }, () => normal(n)),
      ops[op],
    );
  },
  optimizer: async ({ rule, shapes }) => {
    const arrays = () => shapes.map((shape) => normal(...shape));
    const zeros = () => shapes.map((shape) => np.zeros(shape));
    const [lr, decay] = [1e-6, 1e-4];
    const rules = {
      sgd: (p, g, { v }) => {
        const next = v.mul(0.9).add(g.add(p.ref.mul(decay)));
        return { p: p.sub(next.ref.mul(lr)), state: { v: next } };
      },
      adamw: (p, g, { m, v }) => {
        const [first, second] = [m.mul(0.9).add(g.ref.mul(0.1)), v.mul(0.999).add(np.square(g).mul(0.001))];
        const step = first.ref.div(np.sqrt(second.ref).add(1e-8)).mul(lr);
        return { p: p.mul(1 - lr * decay).sub(step), state: { m: first, v: second } };
      },
    };
    const update = jit((all) =>
      all.p.map((p, i) => {
        const next = rules[rule](p, all.g[i], all.state[i]);
        return { ...next, ema: all.ema[i].mul(0.999).add(next.p.ref.mul(0.001)) };
      }),
    );
    const g = arrays();
    const slots = rule === 'sgd' ? ['v'] : ['m', 'v'];
    const initial = slots.map(zeros);
    let all = {
      p: arrays(),
      ema: arrays(),
      state: shapes.map((_, i) => Object.fromEntries(slots.map((slot, j) => [slot, initial[j][i]]))),
    };
    await blockUntilReady([g, all]);
    const run = async () => {
      const next = update({ ...all, g: tree.ref(g) });
      all = {
        p: next.map(({ p }) => p),
        ema: next.map(({ ema }) => ema),
        state: next.map(({ state }) => state),
      };
      await blockUntilReady(all);
    };
    return {
      run,
      dispose: () => {
        tree.dispose([g, all]);
        update.dispose();
      },
    };
  },
  train: async ({ net, batch }) => {
    const { input, shapes, forward } = nets[net];
    const of = (make) => Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, make(shape)]));
    const fanIn = (shape) =>
      shape.slice(shape.length === 4 ? 1 : 0, shape.length === 4 ? 4 : 1).reduce((a, b) => a * b, 1);
    const [x, y] = [normal(...input(batch)), oneHot(batch, 10)];
    let p = of((shape) =>
      shape.length === 1 || shape.length === 3 ? np.zeros(shape) : normal(...shape).div(Math.sqrt(fanIn(shape))),
    );
    let v = of((shape) => np.zeros(shape));
    const step = jit((p, v, x, y) => {
      const [loss, g] = valueAndGrad((q) => crossEntropy(forward(q, x), y, batch))(tree.ref(p));
      const next = Object.fromEntries(Object.keys(p).map((name) => [name, v[name].mul(0.9).add(g[name])]));
      const moved = Object.fromEntries(Object.keys(p).map((name) => [name, p[name].sub(next[name].ref.mul(1e-3))]));
      return [loss, moved, next];
    });
    await blockUntilReady([x, y, p, v]);
    const run = async () => {
      const [loss, moved, next] = step(p, v, x.ref, y.ref);
      [p, v] = [moved, next];
      await loss.data();
    };
    return {
      run,
      dispose: () => {
        tree.dispose([x, y, p, v]);
        step.dispose();
      },
    };
  },
  overhead: ({ times }) => {
    if (times > 1) throw new Error('calls one after the other are what its own compilation is for');
    return calling([normal(1), normal(1)], (a, b) => a.add(b));
  },
};

emit({
  peer: `jax-js-${device}`,
  version: createRequire(import.meta.url)('./package.json').dependencies['@jax-js/jax'],
  detail,
});
await timeWorks(request, kinds);
process.exit(0);
