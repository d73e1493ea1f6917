// Layers as plain loops over host arrays, in double precision, written from their definitions.

export interface Image {
  readonly shape: readonly [number, number, number, number];
  readonly data: ArrayLike<number>;
}

export interface Windows {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Top and left. */
  readonly pad: readonly [number, number];
  readonly out: readonly [number, number];
}

/** 'same' padding of TensorFlow: ceil(size / stride) windows, the odd pixel at the bottom right. */
export function same(
  size: readonly [number, number],
  kernel: readonly [number, number],
  stride: readonly [number, number] = [1, 1],
  dilation: readonly [number, number] = [1, 1],
): Windows {
  const along = (axis: 0 | 1): [number, number] => {
    const out = Math.ceil(size[axis] / stride[axis]);
    const extent = dilation[axis] * (kernel[axis] - 1) + 1;
    const total = Math.max(0, (out - 1) * stride[axis] + extent - size[axis]);
    return [out, Math.floor(total / 2)];
  };
  const [h, w] = [along(0), along(1)];
  return { kernel, stride, dilation, pad: [h[1], w[1]], out: [h[0], w[0]] };
}

export function valid(
  size: readonly [number, number],
  kernel: readonly [number, number],
  stride: readonly [number, number] = [1, 1],
  dilation: readonly [number, number] = [1, 1],
): Windows {
  const along = (axis: 0 | 1): number =>
    Math.floor((size[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  return { kernel, stride, dilation, pad: [0, 0], out: [along(0), along(1)] };
}

/** The values of channel c under the window at (oh, ow), with the window's own coordinates. */
function* under(
  x: Image,
  n: number,
  c: number,
  oh: number,
  ow: number,
  { kernel, stride, dilation, pad }: Windows,
): Generator<{ kh: number; kw: number; value: number }> {
  const [, h, w, channels] = x.shape;
  for (let kh = 0; kh < kernel[0]; kh++) {
    for (let kw = 0; kw < kernel[1]; kw++) {
      const i = oh * stride[0] - pad[0] + kh * dilation[0];
      const j = ow * stride[1] - pad[1] + kw * dilation[1];
      if (i < 0 || i >= h || j < 0 || j >= w) continue;
      yield { kh, kw, value: x.data[((n * h + i) * w + j) * channels + c] ?? Number.NaN };
    }
  }
}

/** fn for each output pixel and channel, in NHWC order. */
function image(
  n: number,
  { out }: Windows,
  channels: number,
  fn: (n: number, oh: number, ow: number, c: number) => number,
): number[] {
  const values: number[] = [];
  for (let i = 0; i < n; i++)
    for (let oh = 0; oh < out[0]; oh++)
      for (let ow = 0; ow < out[1]; ow++) for (let c = 0; c < channels; c++) values.push(fn(i, oh, ow, c));
  return values;
}

/** w [KH,KW,C/groups,F]. */
export function conv2d(
  x: Image,
  w: ArrayLike<number>,
  b: ArrayLike<number>,
  filters: number,
  groups: number,
  windows: Windows,
): number[] {
  const [n, , , channels] = x.shape;
  const inGroup = channels / groups;
  return image(n, windows, filters, (i, oh, ow, f) => {
    const group = Math.floor(f / (filters / groups));
    let sum = b[f] ?? 0;
    for (let c = 0; c < inGroup; c++) {
      for (const { kh, kw, value } of under(x, i, group * inGroup + c, oh, ow, windows)) {
        sum += value * (w[((kh * windows.kernel[1] + kw) * inGroup + c) * filters + f] ?? Number.NaN);
      }
    }
    return sum;
  });
}

/** w [KH,KW,C,M]: output channel c M + m. */
export function depthwise(
  x: Image,
  w: ArrayLike<number>,
  b: ArrayLike<number>,
  multiplier: number,
  windows: Windows,
): number[] {
  const [n, , , channels] = x.shape;
  return image(n, windows, channels * multiplier, (i, oh, ow, out) => {
    const c = Math.floor(out / multiplier);
    let sum = b[out] ?? 0;
    for (const { kh, kw, value } of under(x, i, c, oh, ow, windows)) {
      sum +=
        value * (w[((kh * windows.kernel[1] + kw) * channels + c) * multiplier + (out % multiplier)] ?? Number.NaN);
    }
    return sum;
  });
}

export function maxPool(x: Image, windows: Windows): number[] {
  const [n, , , channels] = x.shape;
  return image(n, windows, channels, (i, oh, ow, c) =>
    Math.max(...[...under(x, i, c, oh, ow, windows)].map(({ value }) => value)),
  );
}

export function avgPool(x: Image, windows: Windows, countIncludePad = false): number[] {
  const [n, , , channels] = x.shape;
  return image(n, windows, channels, (i, oh, ow, c) => {
    const values = [...under(x, i, c, oh, ow, windows)].map(({ value }) => value);
    const count = countIncludePad ? windows.kernel[0] * windows.kernel[1] : values.length;
    return values.reduce((a, b) => a + b, 0) / count;
  });
}

/** x [rows, inputs], w [inputs, units]. */
export function dense(x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>, inputs: number): number[] {
  const units = b.length;
  const rows = x.length / inputs;
  const values: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let u = 0; u < units; u++) {
      let sum = b[u] ?? 0;
      for (let i = 0; i < inputs; i++) sum += (x[r * inputs + i] ?? 0) * (w[i * units + u] ?? 0);
      values.push(sum);
    }
  }
  return values;
}

/** Mean and biased variance. */
export function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length };
}
