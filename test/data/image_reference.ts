// Each change of an image in plain JavaScript, in double precision, from the definitions in native/images/augment.h.
import type { Padding } from '../../src/data/index.js';
import { deriveKey, philox4x32, toUnit } from '../../src/random/philox.js';

/** [H, W, C] */
export interface Image {
  readonly data: number[];
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Words 0 to 7 that a stage draws for the image at this position of an epoch. */
export function wordsOf(seed: number, stage: string, epoch: number, position: number): number[] {
  const key = deriveKey(seed, `augment:${stage}`);
  return [0, 1].flatMap((block) => philox4x32(key, [block, position % 2 ** 32, epoch, Math.floor(position / 2 ** 32)]));
}

export const happens = (words: readonly number[], probability: number): boolean => toUnit(words[0] ?? 0) < probability;

/** Of [low, high]. */
export const wholeOf = (word = 0, low: number, high: number): number =>
  low + Number((BigInt(word) * BigInt(high - low + 1)) >> 32n);

export const uniformOf = (word = 0, low: number, high: number): number => low + toUnit(word) * (high - low);

/** A new image of this size, each pixel made by `at`. */
function painted(
  height: number,
  width: number,
  channels: number,
  at: (y: number, x: number, c: number) => number,
): Image {
  const data: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) for (let c = 0; c < channels; c++) data.push(at(y, x, c));
  return { data, height, width, channels };
}

const value = ({ data, width, channels }: Image, y: number, x: number, c: number): number =>
  data[(y * width + x) * channels + c] ?? Number.NaN;

export function flipped(image: Image, axis: 'horizontal' | 'vertical'): Image {
  const { height, width, channels } = image;
  return painted(height, width, channels, (y, x, c) =>
    axis === 'horizontal' ? value(image, y, width - 1 - x, c) : value(image, height - 1 - y, x, c),
  );
}

/** -1: the fill. */
function source(index: number, length: number, border: Padding): number {
  if (index >= 0 && index < length) return index;
  if (border === 'zero') return -1;
  const mirrored = border === 'edge' ? index : index < 0 ? -index : 2 * length - 2 - index;
  return Math.min(Math.max(mirrored, 0), length - 1);
}

function outside(image: Image, y: number, x: number, c: number, border: Padding, fill: number): number {
  const [row, column] = [source(y, image.height, border), source(x, image.width, border)];
  return row < 0 || column < 0 ? fill : value(image, row, column, c);
}

/** The window of `height` x `width` at (top, left), which may lie beyond the image. */
export function window(
  image: Image,
  [top, left]: readonly [number, number],
  [height, width]: readonly [number, number],
  border: Padding,
  fill: number,
): Image {
  return painted(height, width, image.channels, (y, x, c) => outside(image, y + top, x + left, c, border, fill));
}

export function turned(image: Image, degrees: number, scale: number, border: Padding, fill: number): Image {
  const { height, width, channels } = image;
  const angle = (degrees * Math.PI) / 180;
  return painted(height, width, channels, (y, x, c) => {
    const [down, across] = [y - (height - 1) / 2, x - (width - 1) / 2];
    const sourceX = (Math.cos(angle) * across - Math.sin(angle) * down) / scale + (width - 1) / 2;
    const sourceY = (Math.sin(angle) * across + Math.cos(angle) * down) / scale + (height - 1) / 2;
    const [top, left] = [Math.floor(sourceY), Math.floor(sourceX)];
    const [dy, dx] = [sourceY - top, sourceX - left];
    const tap = (i: number, j: number): number => outside(image, top + i, left + j, c, border, fill);
    return (1 - dy) * ((1 - dx) * tap(0, 0) + dx * tap(0, 1)) + dy * ((1 - dx) * tap(1, 0) + dx * tap(1, 1));
  });
}

export function cut(image: Image, y: number, x: number, size: number, fill: number): Image {
  const [top, left] = [y - Math.floor(size / 2), x - Math.floor(size / 2)];
  return painted(image.height, image.width, image.channels, (row, column, c) =>
    row >= top && row < top + size && column >= left && column < left + size ? fill : value(image, row, column, c),
  );
}

export interface Factors {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
}

const limit = (x: number, white: number): number => Math.min(Math.max(x, 0), white);
const luma = ([r = 0, g = 0, b = 0]: readonly number[]): number => 0.299 * r + 0.587 * g + 0.114 * b;

/** By way of hue, saturation and value, as textbooks have it: hue in sixths of a circle. */
function turnedHue([r = 0, g = 0, b = 0]: readonly number[], turn: number): number[] {
  const most = Math.max(r, g, b);
  const range = most - Math.min(r, g, b);
  if (range === 0) return [r, g, b];
  const sixth = most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range;
  const hue = (((sixth + 6 * turn) % 6) + 6) % 6;
  const [up, down] = [most - range * (1 - (hue % 1)), most - range * (hue % 1)];
  const least = most - range;
  const table = [
    [most, up, least],
    [down, most, least],
    [least, most, up],
    [least, down, most],
    [up, least, most],
    [most, least, down],
  ];
  return table[Math.floor(hue)] ?? [];
}

export function coloured(image: Image, { brightness, contrast, saturation, hue }: Factors, white: number): Image {
  const { channels } = image;
  const rgb = channels === 3 || channels === 4;
  const used = rgb ? 3 : channels;
  const pixels: number[][] = [];
  for (let i = 0; i < image.data.length; i += channels) pixels.push(image.data.slice(i, i + channels));
  const bright = pixels.map((pixel) => pixel.slice(0, used).map((v) => limit(v * brightness, white)));
  const grey = (pixel: readonly number[]): number => (rgb ? luma(pixel) : pixel.reduce((a, b) => a + b, 0) / used);
  const mean = bright.reduce((sum, pixel) => sum + grey(pixel), 0) / pixels.length;
  const data = bright.flatMap((pixel, i) => {
    let values = pixel.map((v) => limit(mean + (v - mean) * contrast, white));
    if (rgb) {
      const own = luma(values);
      values = turnedHue(
        values.map((v) => limit(own + (v - own) * saturation, white)),
        hue,
      );
    }
    return [...values, ...(pixels[i]?.slice(used) ?? [])];
  });
  return { ...image, data };
}
