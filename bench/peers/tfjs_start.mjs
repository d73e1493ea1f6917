// Starts TensorFlow.js on one of its backends.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** { tf, detail }; `request` goes to the process that WebGPU may have to start anew. */
export async function startTfjs(name, request) {
  console.warn = () => {}; // tfjs greets every Node.js user
  const adapter = name === 'webgpu' ? await (await import('./webgpu.mjs')).installWebGpu(request) : null;
  const tf = require('@tensorflow/tfjs');
  if (name !== 'cpu') require(`@tensorflow/tfjs-backend-${name}`);
  if (!(await tf.setBackend(name))) throw new Error(`tfjs has no backend ${name} here`);
  await tf.ready();
  const details = {
    cpu: 'plain JavaScript, one thread',
    wasm: 'WebAssembly with SIMD; one thread, since tfjs starts no more in Node.js',
    webgpu: `on ${adapter}`,
  };
  return { tf, detail: details[name] };
}

/** The benchmark's nets, as in src/bench/works.ts. */
export function network(tf, net) {
  const { conv2d, dense, flatten, maxPooling2d } = tf.layers;
  const model = tf.sequential();
  const layers =
    net === 'mlp'
      ? [dense({ inputShape: [784], units: 128, activation: 'relu' }), dense({ units: 10 })]
      : [
          conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 5, padding: 'same', activation: 'relu' }),
          maxPooling2d({ poolSize: 2 }),
          conv2d({ filters: 64, kernelSize: 5, padding: 'same', activation: 'relu' }),
          maxPooling2d({ poolSize: 2 }),
          flatten(),
          dense({ units: 256, activation: 'relu' }),
          dense({ units: 10 }),
        ];
  for (const layer of layers) model.add(layer);
  return model;
}
