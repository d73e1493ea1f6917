// Folders of images: a class for each subfolder.
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AnnealError, reasonOf } from '../errors.js';
import type { HostTensor } from '../io/host_tensor.js';
import { Dataset, type DatasetOptions } from './dataset.js';
import type { OnBad } from './example.js';
import { unitRange } from './files.js';
import type { MappedLoader } from './mapped_loader.js';

export interface DecodeOptions {
  /** Height and width of the result, or both as one number. */
  readonly size: number | readonly [height: number, width: number];
  /** 1: grey, 3: red, green and blue (sRGB), 4: with alpha. Default 3. */
  readonly channels?: 1 | 3 | 4;
  /**
   * How an image of other proportions is fitted: 'cover' cuts what is too much, 'contain' leaves black edges, 'fill' distorts.
   * Default 'cover'.
   */
  readonly fit?: 'cover' | 'contain' | 'fill';
}

export interface ImageFolderOptions extends DecodeOptions, Pick<DatasetOptions, 'normalize'> {
  /** What to do about an image that does not decode. Default 'error'. */
  readonly onBad?: OnBad;
}

const endings = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif']);

/**
 * A dataset over a folder with a subfolder for each class, in the order of their names by character code; the names are
 * `dataset.classes`. Images (png, jpg, jpeg, webp, gif, tif, tiff, avif; other files are passed over) are decoded when their
 * batch is asked for, by the package `sharp`: u8 [height, width, channels] with normalize 1/255, turned as their EXIF data say.
 * What chooses examples is as for any dataset; `await dataset.load()` decodes all, once.
 * @throws AnnealError E_IO when the folder cannot be read, E_FORMAT when no image is in it; E_DEVICE when `sharp` is not
 *   installed.
 */
export async function imageFolder(directory: string, options: ImageFolderOptions): Promise<Dataset<MappedLoader>> {
  const { onBad = 'error', normalize = unitRange } = options;
  const decode = await imageDecoder(options);
  const { classes, files, labels } = await listImages(directory);
  const list = Dataset.fromArrays(
    {
      x: { data: Int32Array.from(files.keys()), shape: [files.length], dtype: 'i32' },
      y: { data: Int32Array.from(labels), shape: [files.length], dtype: 'i32' },
    },
    { normalize, classes },
  );
  return list.map(async ({ y }, { index }) => ({ x: await decode(files[index] ?? ''), y }), { onBad });
}

/**
 * Decodes image files, or the bytes of one, as `imageFolder` does: u8 [height, width, channels].
 * @throws AnnealError E_DEVICE when `sharp` is not installed. What it gives rejects with E_FORMAT for what does not decode.
 */
export async function imageDecoder(
  options: DecodeOptions,
): Promise<(file: string | Uint8Array) => Promise<HostTensor>> {
  const { size, channels = 3, fit = 'cover' } = options;
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  for (const side of [height, width]) {
    if (!Number.isInteger(side) || side < 1 || side > 0xffff) {
      throw new AnnealError('E_RANGE', `imageFolder: expected a size within 1..65535, received ${side}`);
    }
  }
  const sharp = await loadSharp();
  return async (file) => {
    try {
      const turned = sharp(file).rotate().resize(width, height, { fit, background: '#000' });
      const image =
        channels === 1
          ? turned.removeAlpha().toColourspace('b-w')
          : channels === 3
            ? turned.removeAlpha().toColourspace('srgb')
            : turned.ensureAlpha().toColourspace('srgb');
      const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
      if (info.channels !== channels || info.width !== width || info.height !== height) {
        throw new Error(`decoded as ${info.height} x ${info.width} x ${info.channels}`);
      }
      // Of its own: a Buffer may be part of a block that others share.
      return { data: new Uint8Array(data), shape: [height, width, channels], dtype: 'u8' };
    } catch (cause) {
      const name = typeof file === 'string' ? file : 'image';
      throw new AnnealError('E_FORMAT', `${name}: expected an image (${reasonOf(cause)})`, { cause });
    }
  };
}

async function loadSharp() {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new AnnealError(
      'E_DEVICE',
      `imageFolder: expected the npm package sharp, which decodes images, found none that works (${reasonOf(cause)}); ` +
        'run "npm install sharp"',
      { cause },
    );
  }
}

const byCode = (a: string, b: string): number => (a < b ? -1 : 1);

async function listImages(directory: string): Promise<{ classes: string[]; files: string[]; labels: number[] }> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    throw new AnnealError('E_IO', `${directory}: expected a readable folder (${reasonOf(cause)})`, { cause });
  });
  const classes = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort(byCode);
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    const folder = join(directory, name);
    const inside = await readdir(folder, { withFileTypes: true, recursive: true });
    const images = inside
      .filter((entry) => entry.isFile() && endings.has(extensionOf(entry.name)))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .sort(byCode);
    for (const image of images) {
      files.push(join(folder, image));
      labels.push(label);
    }
  }
  if (files.length === 0) {
    throw new AnnealError('E_FORMAT', `${directory}: expected a subfolder of images for each class, found no image`);
  }
  return { classes, files, labels };
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot).toLowerCase();
}
