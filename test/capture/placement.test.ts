// Placement: what lives at the same time never overlaps, and little is wasted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Lifetime, place } from '../../src/capture/placement.js';

const lifetime = fc
  .record({ bytes: fc.integer({ min: 0, max: 100_000 }), first: fc.nat(30), length: fc.nat(10) })
  .map(({ bytes, first, length }): Lifetime => ({ bytes, first, last: first + length }));

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** The bytes that live together at the worst moment: no placement can do with less. */
function atOnce(lifetimes: readonly Lifetime[]): number {
  const moments = lifetimes.map(({ first }) =>
    lifetimes
      .filter((each) => each.first <= first && each.last >= first)
      .reduce((sum, { bytes }) => sum + aligned(bytes), 0),
  );
  return Math.max(0, ...moments);
}

test('no two lifetimes that overlap share memory, and the arena is large enough', () => {
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 40 }), (lifetimes) => {
      const { offsets, bytes } = place(lifetimes);
      lifetimes.forEach((a, i) => {
        const from = offsets[i] ?? -1;
        assert.ok(from >= 0 && from % 64 === 0 && from + a.bytes <= bytes);
        lifetimes.slice(0, i).forEach((b, j) => {
          const other = offsets[j] ?? -1;
          const together = a.first <= b.last && b.first <= a.last;
          assert.ok(!together || from + a.bytes <= other || other + b.bytes <= from);
        });
      });
      assert.ok(bytes >= atOnce(lifetimes));
      assert.ok(bytes <= lifetimes.reduce((sum, each) => sum + aligned(each.bytes), 0));
    }),
    { numRuns: 500 },
  );
});

test('a chain needs room for two, whatever its length', () => {
  const chain = Array.from({ length: 50 }, (_, i) => ({ bytes: 640, first: i, last: i + 1 }));
  assert.equal(place(chain).bytes, 2 * 640);
});
