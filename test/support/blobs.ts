// A small synthetic problem: points in the plane around three centres.
import { Dataset } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import { symmetric } from './formula.js';

const centres = [
  [1.5, 0],
  [-1, 1.5],
  [-1, -1.5],
] as const;

/** Points of class i % 3, `relabel` telling what the target says instead. */
export function blobs(count: number, seed: number, relabel: (label: number) => number = (label) => label): Dataset {
  const x = new Float32Array(2 * count);
  const y = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const [cx, cy] = centres[i % 3] ?? centres[0];
    // The sum of two uniforms: a hill rather than a square.
    const noise = (k: number): number => symmetric(4 * i + k, seed) + symmetric(4 * i + k + 1, seed);
    x[2 * i] = cx + noise(0);
    x[2 * i + 1] = cy + noise(2);
    y[i] = relabel(i % 3);
  }
  return Dataset.fromArrays({
    x: { data: x, shape: [count, 2], dtype: 'f32' },
    y: { data: y, shape: [count], dtype: 'i32' },
  });
}

export function mlp(dropout = 0): nn.Sequential {
  return nn.sequential([nn.dense({ units: 16, activation: 'relu' }), nn.dropout(dropout), nn.dense({ units: 3 })]);
}
