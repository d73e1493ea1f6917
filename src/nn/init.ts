// Initialisers. Each parameter draws from a stream of its own, keyed by the seed and the parameter's full name, so adding
// a layer does not change the others.
import { AnnealError } from '../errors.js';
import { full } from '../ops/creation.js';
import { truncatedNormal as drawTruncatedNormal, uniform as drawUniform, normal } from '../ops/random/random.js';
import { deriveKey } from '../random/philox.js';
import { keep, scope } from '../tensor/scope.js';
import { formatShape, type Shape } from '../tensor/shape.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

export interface Fans {
  /** Inputs that feed one output: in for dense, KH KW IC for convolution. */
  readonly fanIn: number;
  /** Outputs one input feeds: out for dense, KH KW OC for convolution. */
  readonly fanOut: number;
}

/** Draws a parameter of the given shape; `seed` is its own. */
export type Initializer = (shape: Shape, fans: Fans, seed: number) => Tensor<'f32'>;

/** Runs an initialiser off every scope, with a seed derived from the model's and the parameter's name. */
export function initialize(
  init: Initializer,
  shape: Shape,
  fans: Fans,
  seed: number,
  path: string,
  name: string,
): Tensor<'f32'> {
  const [key] = deriveKey(seed, `init:${path}.${name}`);
  const value = keep(scope(() => init(shape, fans, key)));
  if (formatShape(value.shape) !== formatShape(shape)) {
    value.dispose();
    throw new AnnealError(
      'E_SHAPE',
      `init: expected ${formatShape(shape)} for ${path}.${name}, received ${formatShape(value.shape)}`,
    );
  }
  return value;
}

export function constant(value: number): Initializer {
  return (shape) => full(shape, value);
}

export function zeros(): Initializer {
  return constant(0);
}

export function ones(): Initializer {
  return constant(1);
}

/** N(mean, std^2). */
export function randomNormal(mean = 0, std = 0.05): Initializer {
  return (shape, _fans, seed) => normal(shape, { mean, std, seed });
}

/** U[low, high). */
export function randomUniform(low = -0.05, high = 0.05): Initializer {
  return (shape, _fans, seed) => drawUniform(shape, { low, high, seed });
}

/** N(mean, std^2) cut at two standard deviations; std is that of the uncut distribution. */
export function truncatedNormal(mean = 0, std = 0.05): Initializer {
  return (shape, _fans, seed) => drawTruncatedNormal(shape, { mean, std, seed });
}

function scaledNormal(variance: (fans: Fans) => number): Initializer {
  return (shape, fans, seed) => normal(shape, { mean: 0, std: Math.sqrt(variance(fans)), seed });
}

/** Uniform with the given variance v: U[-sqrt(3 v), sqrt(3 v)). */
function scaledUniform(variance: (fans: Fans) => number): Initializer {
  return (shape, fans, seed) => {
    const limit = Math.sqrt(3 * variance(fans));
    return drawUniform(shape, { low: -limit, high: limit, seed });
  };
}

const he = ({ fanIn }: Fans): number => 2 / fanIn;
const glorot = ({ fanIn, fanOut }: Fans): number => 2 / (fanIn + fanOut);
const lecun = ({ fanIn }: Fans): number => 1 / fanIn;

/** Variance 2 / fanIn: for relu. He et al. 2015, arXiv:1502.01852. */
export function heNormal(): Initializer {
  return scaledNormal(he);
}

export function heUniform(): Initializer {
  return scaledUniform(he);
}

/** Variance 2 / (fanIn + fanOut): for tanh and sigmoid. Glorot and Bengio 2010. */
export function glorotNormal(): Initializer {
  return scaledNormal(glorot);
}

export function glorotUniform(): Initializer {
  return scaledUniform(glorot);
}

/** Variance 1 / fanIn: for selu and linear layers. LeCun et al. 1998. */
export function lecunNormal(): Initializer {
  return scaledNormal(lecun);
}

export function lecunUniform(): Initializer {
  return scaledUniform(lecun);
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer, times `gain`; a tensor is seen as
 * [product of the other dimensions, last dimension]. Saxe et al. 2014, arXiv:1312.6120.
 */
export function orthogonal(gain = 1): Initializer {
  return (shape, _fans, seed) => {
    if (shape.length < 2) {
      throw new AnnealError('E_SHAPE', `orthogonal: expected at least 2 dimensions, received ${formatShape(shape)}`);
    }
    const columns = shape.at(-1) ?? 1;
    const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const long = Math.max(rows, columns);
    const short = Math.min(rows, columns);
    using normals = normal([short, long], { mean: 0, std: 1, seed, device: 'cpu' });
    const draws = normals.dataSync();
    const basis = orthonormalize(Float64Array.from(draws), short, long);
    const values = new Float32Array(rows * columns);
    for (let i = 0; i < short; i++) {
      for (let j = 0; j < long; j++) {
        values[rows <= columns ? i * columns + j : j * columns + i] = gain * (basis[i * long + j] ?? 0);
      }
    }
    return tensor(values, shape);
  };
}

/** Modified Gram-Schmidt, twice for accuracy, on `count` vectors of length `length`, in place. */
function orthonormalize(vectors: Float64Array, count: number, length: number): Float64Array {
  const vector = (i: number): Float64Array => vectors.subarray(i * length, (i + 1) * length);
  const dot = (a: Float64Array, b: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
    return sum;
  };
  for (let i = 0; i < count; i++) {
    const v = vector(i);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const u = vector(j);
        const projection = dot(u, v);
        for (let t = 0; t < length; t++) v[t] = (v[t] ?? 0) - projection * (u[t] ?? 0);
      }
    }
    const scale = 1 / Math.sqrt(dot(v, v));
    for (let t = 0; t < length; t++) v[t] = (v[t] ?? 0) * scale;
  }
  return vectors;
}
