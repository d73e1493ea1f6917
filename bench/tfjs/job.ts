// What both sides train: the same net from the same weights on the same images in the same order.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { data, nn } from '../../src/index.js';

export interface JobOptions {
  readonly net: 'cnn' | 'mlp';
  /** Of tfjs: cpu, wasm or webgpu. */
  readonly backend: string;
  readonly batch: number;
  readonly steps: number;
  readonly threads: number;
  readonly seed: number;
}

/** One job as JSON, read by a side from its standard input. */
export interface Job extends JobOptions {
  readonly lr: number;
  readonly momentum: number;
  /** u8 pixels [steps * batch, 28, 28]; a side trains on pixel / 255. */
  readonly imagesPath: string;
  /** u8 labels [steps * batch]. */
  readonly labelsPath: string;
  /** f32, one parameter after the other; `offset` counts floats. Kernels are HWIO and [in, out] in both libraries. */
  readonly weightsPath: string;
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[]; readonly offset: number }[];
}

/** The nets of src/bench/works.ts. */
export function network(net: JobOptions['net']): nn.Sequential {
  if (net === 'mlp') return nn.models.mlp({ hidden: [128], outputs: 10 });
  return nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });
}

export const inputShape = (net: JobOptions['net']): number[] => (net === 'mlp' ? [784] : [28, 28, 1]);

/** The job with its files in a folder of their own, which goes when it is disposed. */
export async function prepareJob(options: JobOptions): Promise<{ job: Job } & Disposable> {
  const { net, batch, steps, seed } = options;
  const { train } = await data.mnist();
  const folder = mkdtempSync(join(tmpdir(), 'anneal-tfjs-'));
  const path = (name: string): string => join(folder, name);
  const count = batch * steps;
  const images = new Uint8Array(count * 784);
  const labels = new Uint8Array(count);
  let at = 0;
  const loader = train.shuffle({ seed }).batch(batch, { dropLast: true });
  for (let epoch = 0; at < count; epoch++)
    for await (const { x, y } of loader.epoch(epoch)) {
      if (at === count) break;
      images.set(x.data, at * 784);
      labels.set(y.data, at);
      at += batch;
    }
  const model = network(net);
  model.build(inputShape(net), seed);
  const state = await model.stateDict();
  model.dispose();
  let offset = 0;
  const weights = [...state].map(([name, { shape, data: values }]) => {
    const entry = { name, shape, offset, values };
    offset += values.length;
    return entry;
  });
  const flat = new Float32Array(offset);
  for (const weight of weights) flat.set(weight.values, weight.offset);
  writeFileSync(path('images.u8'), images);
  writeFileSync(path('labels.u8'), labels);
  writeFileSync(path('weights.f32'), flat);
  return {
    job: {
      ...options,
      lr: 0.05,
      momentum: 0.9,
      imagesPath: path('images.u8'),
      labelsPath: path('labels.u8'),
      weightsPath: path('weights.f32'),
      weights: weights.map(({ name, shape, offset: start }) => ({ name, shape, offset: start })),
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
