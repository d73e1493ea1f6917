// The random changes of images that `loader.augment` takes.
import { STAGE_NUMBERS } from '../backend/images.js';
import { AnnealError } from '../errors.js';
import { deriveKey } from '../random/philox.js';
import { checkWhole } from './batch.js';

/** What stands beyond an image's edges: zeros (or `fill`), the image mirrored without its edge pixels, or the edge's pixels. */
export type Padding = 'zero' | 'reflect' | 'edge';

const borders = { zero: 0, reflect: 1, edge: 2 } as const satisfies Record<Padding, number>;
const kinds = { flip: 0, move: 1, affine: 2, colour: 3, cutout: 4 } as const;

type ImageShape = readonly [height: number, width: number];

interface Encoded {
  readonly kind: keyof typeof kinds;
  readonly probability: number;
  readonly fill?: number;
  readonly border?: Padding;
  readonly parameters: readonly number[];
}

/** A change of each image by itself. */
export interface ImageTransform {
  readonly kind: 'flip' | 'crop' | 'shift' | 'rotate' | 'colour' | 'cutout';
  /** The options, all of them there. */
  readonly options: Readonly<Record<string, number | string | readonly number[]>>;
  /** @internal For images of this size. */
  encode(shape: ImageShape): Encoded;
}

/** A mixing of a batch's images and targets with each other. */
export interface MixTransform {
  readonly kind: 'mixup' | 'cutmix';
  readonly alpha: number;
  readonly classes: number | undefined;
}

export type Transform = ImageTransform | MixTransform;

export function isMix(transform: Transform): transform is MixTransform {
  return transform.kind === 'mixup' || transform.kind === 'cutmix';
}

function within(value: number, low: number, high: number, who: string): void {
  if (!(value >= low && value <= high)) {
    throw new AnnealError('E_RANGE', `${who}: expected a number within ${low}..${high}, received ${value}`);
  }
}

function checkPadding(border: string, who: string): void {
  if (!Object.hasOwn(borders, border)) {
    throw new AnnealError('E_ARGUMENT', `${who}: expected 'zero', 'reflect' or 'edge', received '${border}'`);
  }
}

export interface FlipOptions {
  /** 'horizontal': left becomes right. Default. */
  readonly axis?: 'horizontal' | 'vertical';
  /** Default 0.5. */
  readonly probability?: number;
}

/** Mirrors half of the images. */
export function flip({ axis = 'horizontal', probability = 0.5 }: FlipOptions = {}): ImageTransform {
  if (axis !== 'horizontal' && axis !== 'vertical') {
    throw new AnnealError('E_ARGUMENT', `flip: expected axis 'horizontal' or 'vertical', received '${String(axis)}'`);
  }
  within(probability, 0, 1, 'flip: probability');
  return {
    kind: 'flip',
    options: { axis, probability },
    encode: () => ({ kind: 'flip', probability, parameters: [axis === 'horizontal' ? 0 : 1] }),
  };
}

export interface CropOptions {
  /** Pixels that are put around the image first. Default 0. */
  readonly padding?: number;
  /** What is in them. Default 'zero'. */
  readonly border?: Padding;
  /** Height and width of the result, or both as one number. Default: those of the image. */
  readonly size?: number | readonly [height: number, width: number];
  /** What 'zero' stands for, as it is stored. Default 0. */
  readonly fill?: number;
}

/** A random window of the padded image; any whole place is as likely. */
export function crop({ padding = 0, border = 'zero', size, fill = 0 }: CropOptions = {}): ImageTransform {
  checkWhole(padding, 'crop: padding');
  checkPadding(border, 'crop: border');
  const wanted = typeof size === 'number' ? ([size, size] as const) : size;
  for (const side of wanted ?? []) checkWhole(side, 'crop: size', 1);
  return {
    kind: 'crop',
    options: { padding, border, fill, ...(wanted === undefined ? {} : { size: wanted }) },
    encode([height, width]) {
      const [outHeight, outWidth] = wanted ?? [height, width];
      if (outHeight > height + 2 * padding || outWidth > width + 2 * padding) {
        throw new AnnealError(
          'E_SHAPE',
          `crop: expected a size of at most ${height + 2 * padding} x ${width + 2 * padding}, received ${outHeight} x ${outWidth}`,
        );
      }
      const offsets = [-padding, height + padding - outHeight, -padding, width + padding - outWidth];
      return { kind: 'move', probability: 1, fill, border, parameters: [...offsets, outHeight, outWidth] };
    },
  };
}

export interface ShiftOptions {
  /** Pixels at most, up or down and left or right, or [rows, columns]. */
  readonly by: number | readonly [rows: number, columns: number];
  /** What comes in at the edges. Default 'zero'. */
  readonly border?: Padding;
  readonly fill?: number;
}

/** Moves the image by whole pixels; any number of them is as likely. */
export function shift({ by, border = 'zero', fill = 0 }: ShiftOptions): ImageTransform {
  const [rows, columns] = typeof by === 'number' ? [by, by] : by;
  for (const most of [rows, columns]) checkWhole(most, 'shift: by');
  checkPadding(border, 'shift: border');
  return {
    kind: 'shift',
    options: { by: [rows, columns], border, fill },
    encode: ([height, width]) => ({
      kind: 'move',
      probability: 1,
      fill,
      border,
      parameters: [-rows, rows, -columns, columns, height, width],
    }),
  };
}

export interface RotateOptions {
  /** At most, in either direction. Default 0. */
  readonly degrees?: number;
  /** Factors of size, from and to. Default [1, 1]. */
  readonly scale?: readonly [from: number, to: number];
  /** Default 'zero'. */
  readonly border?: Padding;
  readonly fill?: number;
}

/** Rotates and scales about the middle, with bilinear interpolation. */
export function rotate({ degrees = 0, scale = [1, 1], border = 'zero', fill = 0 }: RotateOptions): ImageTransform {
  within(degrees, 0, 360, 'rotate: degrees');
  const [from, to] = scale;
  within(from, 0.01, 100, 'rotate: scale');
  within(to, from, 100, 'rotate: scale');
  checkPadding(border, 'rotate: border');
  return {
    kind: 'rotate',
    options: { degrees, scale, border, fill },
    encode: () => ({ kind: 'affine', probability: 1, fill, border, parameters: [degrees, from, to] }),
  };
}

export interface ColourOptions {
  /** b: a factor from [max(0, 1 - b), 1 + b]. Default 0. */
  readonly brightness?: number;
  /** c: a factor from [max(0, 1 - c), 1 + c] for the distance from the image's mean grey. Default 0. */
  readonly contrast?: number;
  /** s: a factor from [max(0, 1 - s), 1 + s] for the distance from the pixel's own grey. Default 0. */
  readonly saturation?: number;
  /** h: a turn of the hue from [-h, h], of a whole circle, up to 0.5. Default 0. */
  readonly hue?: number;
}

/**
 * Changes brightness, contrast, saturation and hue, in this order. Grey is 0.299 R + 0.587 G + 0.114 B. Images of f32 must lie
 * within 0..1, and are limited to that. Saturation and hue need three channels; a fourth is left alone. torchvision's ColorJitter
 * does the same in an order drawn anew each time, and rounds bytes after each change, where this rounds once.
 */
export function colour({ brightness = 0, contrast = 0, saturation = 0, hue = 0 }: ColourOptions): ImageTransform {
  for (const [name, value] of Object.entries({ brightness, contrast, saturation }))
    within(value, 0, 100, `colour: ${name}`);
  within(hue, 0, 0.5, 'colour: hue');
  return {
    kind: 'colour',
    options: { brightness, contrast, saturation, hue },
    encode: () => ({ kind: 'colour', probability: 1, parameters: [brightness, contrast, saturation, hue] }),
  };
}

export interface CutoutOptions {
  /** Side of the square. */
  readonly size: number;
  /** Default 1. */
  readonly probability?: number;
  /** What the square is filled with, as it is stored. Default 0. */
  readonly fill?: number;
}

/**
 * Fills a square about a random pixel; what of it lies beyond the edges is cut off.
 * DeVries, Taylor, "Improved regularization of convolutional neural networks with cutout" (arXiv:1708.04552).
 */
export function cutout({ size, probability = 1, fill = 0 }: CutoutOptions): ImageTransform {
  checkWhole(size, 'cutout: size');
  within(probability, 0, 1, 'cutout: probability');
  return {
    kind: 'cutout',
    options: { size, probability, fill },
    encode: () => ({ kind: 'cutout', probability, fill, parameters: [size] }),
  };
}

export interface MixOptions {
  /** Of the distribution Beta(alpha, alpha) that weights are drawn from. */
  readonly alpha?: number;
  /** Classes that y names. Default: as many as the loader knows of. */
  readonly classes?: number;
}

function mix(kind: MixTransform['kind'], alpha: number, classes: number | undefined): MixTransform {
  if (!(alpha > 0 && alpha <= 1e6)) {
    throw new AnnealError('E_RANGE', `${kind}: expected alpha above 0, received ${alpha}`);
  }
  if (classes !== undefined) checkWhole(classes, `${kind}: classes`, 1);
  return { kind, alpha, classes };
}

/**
 * x = w x_i + (1 - w) x_j and targets alike, with j from a random order of the batch and one w ~ Beta(alpha, alpha) for all of it.
 * Targets become f32 [N, classes]. Bytes stay bytes, rounded to the nearest. Default alpha 0.2.
 * Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization" (arXiv:1710.09412).
 */
export function mixup({ alpha = 0.2, classes }: MixOptions = {}): MixTransform {
  return mix('mixup', alpha, classes);
}

/**
 * A box of the image, 1 - w of its area, is that of image j of the batch, and so is 1 - w of the target, after the box was cut at
 * the edges; w ~ Beta(alpha, alpha), one box and one random order for the whole batch. Targets become f32 [N, classes]. Default
 * alpha 1. Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features" (arXiv:1905.04899).
 */
export function cutmix({ alpha = 1, classes }: MixOptions = {}): MixTransform {
  return mix('cutmix', alpha, classes);
}

/** What the addon is told. */
export interface Stages {
  readonly numbers: Float64Array;
  /** Of the images after them. */
  readonly shape: ImageShape;
}

/**
 * The stages for images of this size; `purpose` tells their draws from those of other augmentations of the same run.
 * @throws AnnealError E_SHAPE for images that a transform does not fit.
 */
export function encodeStages(
  transforms: readonly ImageTransform[],
  image: ImageShape,
  seed: number,
  purpose: string,
): Stages {
  const numbers = new Float64Array(transforms.length * STAGE_NUMBERS);
  const seen = new Map<string, number>();
  let shape = image;
  for (const [index, transform] of transforms.entries()) {
    // By its kind and how many of these came before, so that another transform changes no other's draws.
    const nth = seen.get(transform.kind) ?? 0;
    seen.set(transform.kind, nth + 1);
    const key = deriveKey(seed, `${purpose}:${transform.kind}:${nth}`);
    const { kind, probability, fill = 0, border = 'zero', parameters } = transform.encode(shape);
    numbers.set([kinds[kind], ...key, probability, fill, borders[border], ...parameters], index * STAGE_NUMBERS);
    if (kind === 'move') shape = [parameters[4] ?? 0, parameters[5] ?? 0];
  }
  return { numbers, shape };
}
