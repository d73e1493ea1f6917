// Arguments for the addon's functions from anywhere.
import assert from 'node:assert/strict';
import fc from 'fast-check';

/** Numbers at the edges of the integer types, and none of those. */
export const oddNumber = fc.constantFrom(
  0,
  -0,
  1,
  -1,
  0.5,
  63,
  64,
  65,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  1e300,
  -1e300,
  Number.MIN_VALUE,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
);
/** What nobody means to call the addon with. */
export const hostile = fc.oneof(
  fc.anything({ withBigInt: true, withTypedArray: true, withDate: true, withMap: true, withNullPrototype: true }),
  oddNumber,
  fc.integer(),
  fc.double(),
  fc.constantFrom<unknown>(
    Symbol('handle'),
    () => 1,
    new Proxy({}, { get: () => assert.fail('the addon read a property') }),
    { valueOf: () => assert.fail('the addon called valueOf') },
    new ArrayBuffer(8),
    new SharedArrayBuffer(8),
    new Uint8Array(new SharedArrayBuffer(8)),
    new DataView(new ArrayBuffer(8)),
    new Proxy(new Uint8Array(8), {}),
    Object.create(Uint8Array.prototype),
  ),
);
