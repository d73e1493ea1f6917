import { augmentImages, type ImageBatch, type ImageMix, mixImages } from '../backend/images.js';
import { AnnealError } from '../errors.js';
import type { HostTensor } from '../io/host_tensor.js';
import { Draws } from '../random/draws.js';
import { checkWhole, type EpochOptions, type HostBatch, type Loader } from './batch.js';
import { permutation } from './permutation.js';
import {
  encodeStages,
  type ImageTransform,
  isMix,
  type MixTransform,
  type Stages,
  type Transform,
} from './transforms.js';

/** A list of transforms, checked. */
export interface Augmentation {
  readonly images: readonly ImageTransform[];
  readonly mix: MixTransform | undefined;
  /** Without one, the seed given to `epoch` holds. */
  readonly seed: number | undefined;
  /** Tells its draws from those of other augmentations in the same loader. */
  readonly purpose: string;
}

/** @throws AnnealError E_ARGUMENT unless a mixing is the last of the list. */
export function checkTransforms(transforms: readonly Transform[]): Pick<Augmentation, 'images' | 'mix'> {
  const images: ImageTransform[] = [];
  let mix: MixTransform | undefined;
  for (const transform of transforms) {
    if (mix)
      throw new AnnealError(
        'E_ARGUMENT',
        `augment: expected ${mix.kind} to come last, received ${transform.kind} after it`,
      );
    if (isMix(transform)) mix = transform;
    else images.push(transform);
  }
  return { images, mix };
}

/** The source's batches, changed. */
export async function* augmented(
  source: Loader,
  { images, mix, seed: ownSeed, purpose }: Augmentation,
  epoch: number,
  options: EpochOptions,
): AsyncGenerator<HostBatch> {
  const seed = ownSeed ?? options.seed ?? 0;
  checkWhole(epoch, 'augment: epoch');
  let known: { readonly form: string; readonly stages: Stages } | undefined;
  // x is copied at once, the rest here: the source may use its arrays again.
  for await (const { x, y, weight, size, position = 0 } of source.epoch(epoch, { ...options, reuse: true })) {
    let batch = imagesOf(x);
    let rest: Targets = { y: copied(y), ...(weight && { weight: copied(weight) }) };
    if (images.length > 0) {
      const [, height, width, channels] = batch.shape;
      const form = `${height} x ${width}`;
      if (known?.form !== form) known = { form, stages: encodeStages(images, [height, width], seed, purpose) };
      const { numbers, shape } = known.stages;
      const data = await augmentImages(batch, numbers, epoch, position);
      batch = { data, shape: [size, ...shape, channels] };
    }
    if (mix) [batch, rest] = await mixed(batch, rest, mix, source, { seed, purpose, epoch, position });
    yield { ...rest, x: { data: batch.data, shape: batch.shape, dtype: x.dtype }, size, position };
  }
}

/** What of a batch is not images. */
interface Targets {
  readonly y: HostTensor;
  readonly weight?: HostTensor;
}

const copied = (tensor: HostTensor): HostTensor => ({ ...tensor, data: tensor.data.slice() });

function imagesOf({ data, shape, dtype }: HostTensor): ImageBatch {
  const [images, height, width, channels, ...more] = shape;
  if (
    images === undefined ||
    height === undefined ||
    width === undefined ||
    channels === undefined ||
    more.length > 0
  ) {
    throw new AnnealError('E_SHAPE', `augment: expected images [N,H,W,C], received x [${shape}]`);
  }
  if (data instanceof Int32Array || dtype === 'f16') {
    throw new AnnealError('E_DTYPE', `augment: expected images of u8 or f32, received ${dtype}`);
  }
  return { data, shape: [images, height, width, channels] };
}

interface Place {
  readonly seed: number;
  readonly purpose: string;
  readonly epoch: number;
  /** Of the batch's first example. */
  readonly position: number;
}

async function mixed(
  batch: ImageBatch,
  { y, weight: weights }: Targets,
  { kind, alpha, classes }: MixTransform,
  { classCount }: Loader,
  { seed, purpose, epoch, position }: Place,
): Promise<[ImageBatch, Targets]> {
  const [size, height, width] = batch.shape;
  const draws = new Draws(seed, `${purpose}:${kind}`, position % 2 ** 32, epoch);
  const weight = draws.beta(alpha);
  const box =
    kind === 'mixup' ? { weight, top: 0, left: 0, bottom: height, right: width } : cutBox(weight, height, width, draws);
  const partners = permutation(size, draws.word(), `${purpose}:${kind}:order`, epoch);
  // cutmix takes all of the box from the partner; its targets go by what is left of the image.
  const { top, left, bottom, right } = box;
  const own = kind === 'mixup' ? weight : 1 - ((bottom - top) * (right - left)) / (height * width);
  const soft = softTargets(y, classes ?? classCount, kind);
  const data = await mixImages(batch, partners, kind === 'mixup' ? box : { ...box, weight: 0 });
  const rest = { y: mixedRows(soft, partners, own), ...(weights && { weight: mixedRows(weights, partners, own) }) };
  return [{ data, shape: batch.shape }, rest];
}

/** About a uniform pixel, 1 - weight of the image's area before it is cut at the edges. */
function cutBox(weight: number, height: number, width: number, draws: Draws): ImageMix {
  const side = Math.sqrt(1 - weight);
  const range = (length: number): [number, number] => {
    const half = Math.round(side * length) / 2;
    const middle = draws.below(length);
    return [Math.max(0, Math.ceil(middle - half)), Math.min(length, Math.ceil(middle + half))];
  };
  const [top, bottom] = range(height);
  const [left, right] = range(width);
  return { weight, top, left, bottom, right };
}

/** Classes as shares of them, f32 [N, classes]; shares as they are. */
function softTargets(y: HostTensor, classes: number | undefined, who: string): HostTensor {
  const { data, shape, dtype } = y;
  const [size = 0] = shape;
  if (shape.length === 2 && data instanceof Float32Array) return y;
  if (shape.length !== 1 || data instanceof Float32Array) {
    throw new AnnealError(
      'E_SHAPE',
      `${who}: expected y of classes [N] or shares f32 [N,C], received ${dtype} [${shape}]`,
    );
  }
  if (classes === undefined) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${who}: expected the number of classes, { classes }, since the loader does not know it`,
    );
  }
  const soft = new Float32Array(size * classes);
  data.forEach((label, index) => {
    if (label < 0 || label >= classes) {
      throw new AnnealError('E_RANGE', `${who}: expected classes within 0..${classes - 1}, received ${label}`);
    }
    soft[index * classes + label] = 1;
  });
  return { data: soft, shape: [size, classes], dtype: 'f32' };
}

/** own times each row and 1 - own times its partner's. */
function mixedRows({ data, shape }: HostTensor, partners: Uint32Array, own: number): HostTensor {
  const width = data.length / Math.max(1, partners.length);
  const rows = new Float32Array(data.length);
  partners.forEach((partner, index) => {
    for (let i = 0; i < width; i += 1) {
      rows[index * width + i] = own * (data[index * width + i] ?? 0) + (1 - own) * (data[partner * width + i] ?? 0);
    }
  });
  return { data: rows, shape, dtype: 'f32' };
}
