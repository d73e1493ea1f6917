// Random images and random stages: refused, or changed by what stays within the arrays, while JavaScript takes them away.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { raw } from '../support/raw.js';
import { isRefusal } from './refusal.js';

const STAGE = 12;
const odd = fc.constantFrom(-1, 0.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 53, -(2 ** 40));
const small = fc.integer({ min: -9, max: 9 });
/** Mostly `usual`. */
const mostly = (usual: fc.Arbitrary<number>): fc.Arbitrary<number> =>
  fc.oneof({ weight: 100, arbitrary: usual }, { weight: 1, arbitrary: odd }, { weight: 1, arbitrary: small });

const side = mostly(fc.integer({ min: 0, max: 9 }));
const stage = fc
  .tuple(
    mostly(fc.integer({ min: 0, max: 4 })),
    mostly(fc.nat(2 ** 32 - 1)),
    mostly(fc.nat(2 ** 32 - 1)),
    mostly(fc.constantFrom(0, 0.5, 1, 1, 1)),
    mostly(fc.constantFrom(0, 7, 255)),
    mostly(fc.integer({ min: 0, max: 2 })),
    fc.array(mostly(fc.oneof(small, fc.constantFrom(0, 0.1, 0.5, 1, 2))), { minLength: 6, maxLength: 6 }),
  )
  .map(([kind, k0, k1, probability, fill, border, parameters]) => {
    // Those of a move and of a turn that make sense, now and then.
    const [a = 0, b = 0, c = 0, d = 0] = parameters;
    if (kind === 1 && k0 % 4 !== 0)
      return [kind, k0, k1, 1, fill, border, Math.min(a, b), Math.max(a, b), Math.min(c, d), Math.max(c, d), 4, 5];
    if (kind === 2 && k0 % 4 !== 0) return [kind, k0, k1, probability, fill, border, Math.abs(a), 0.5, 2, 0, 0, 0];
    return [kind, k0, k1, probability, fill, border, ...parameters];
  });

/** How many calls of each function were accepted. */
export const acceptedImages = { augment: 0, mixImages: 0 };

async function settled(
  name: keyof typeof acceptedImages,
  start: () => Promise<ArrayBuffer>,
): Promise<ArrayBuffer | undefined> {
  try {
    const result = await start();
    acceptedImages[name] += 1;
    return result;
  } catch (error) {
    assert.ok(isRefusal(error), `${name}: expected an AnnealError, received ${String(error)}`);
    return undefined;
  }
}

function pixels(count: number, bytes: boolean): Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  const length = Number.isInteger(count) && count >= 0 && count < 1e5 ? count : 4;
  return bytes ? new Uint8Array(length).fill(9) : new Float32Array(length).fill(9);
}

const batch = fc.record({
  shape: fc.tuple(side, side, side, mostly(fc.integer({ min: 1, max: 4 }))),
  bytes: fc.boolean(),
  surplus: mostly(fc.constant(0)),
  detach: fc.boolean(),
  pieces: mostly(fc.integer({ min: 0, max: 64 })),
});

/** Takes the memory from under an array, as `postMessage` may. */
const take = (array: { readonly buffer: ArrayBuffer }): void =>
  void structuredClone(array.buffer, { transfer: [array.buffer] });

export const augmentProperty = fc.asyncProperty(
  batch,
  fc.array(stage, { maxLength: 5 }),
  fc.tuple(mostly(fc.nat(1000)), mostly(fc.nat(1000)), mostly(fc.constant(0))),
  async ({ shape, bytes, surplus, detach, pieces }, stages, [epoch, position, ragged]) => {
    const images = pixels(shape.reduce((a, b) => a * b, 1) + surplus, bytes);
    const numbers = Float64Array.from(
      stages.flat().slice(0, Math.max(0, stages.length * STAGE - (ragged === 0 ? 0 : 1))),
    );
    const result = await settled('augment', () => {
      const promise = raw.augment(images, Float64Array.from(shape), numbers, epoch, position, pieces);
      if (detach) take(images);
      return promise;
    });
    if (result && stages.length === 0) {
      const values = bytes ? new Uint8Array(result) : new Float32Array(result);
      assert.ok(values.every((value) => value === 9));
    }
  },
);

export const mixProperty = fc.asyncProperty(
  batch,
  fc.array(mostly(fc.nat(8)), { maxLength: 10 }),
  fc.tuple(mostly(fc.constantFrom(0, 0.25, 1)), side, side, side, side),
  fc.boolean(),
  async ({ shape, bytes, surplus, detach, pieces }, partners, [weight, ...box], faithful) => {
    const [count, height, width] = shape;
    const images = pixels(shape.reduce((a, b) => a * b, 1) + surplus, bytes);
    const order =
      faithful && Number.isInteger(count) && count >= 0 && count < 100
        ? partners.concat(new Array(100).fill(0)).slice(0, count)
        : partners;
    const sides = faithful ? [0, 0, height, width] : box;
    const result = await settled('mixImages', () => {
      const promise = raw.mixImages(
        images,
        Float64Array.from(shape),
        Float64Array.from(order),
        Float64Array.of(weight, ...sides),
        pieces,
      );
      if (detach) take(images);
      return promise;
    });
    // All pixels are alike, so that any mixture of them is too.
    if (result) {
      const values = bytes ? new Uint8Array(result) : new Float32Array(result);
      assert.ok(values.every((value) => value === 9));
    }
  },
);
