// Operands that are stored as f16: the conversions, bit for bit on every instruction set, and every op on them, which must give
// the bits of the same kernel on the widened values, rounded once.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { narrow, widen } from '../../src/tensor/half.js';
import { readCaseTables } from '../support/case_file.js';
import {
  all,
  bytesOf,
  castBits,
  convertsAsTheHost,
  sameAsWidened,
  withBuffers,
  wordsAround,
} from '../support/half_ops.js';
import { encodeParams, opInfo, planCall, raw, submitCall } from '../support/raw.js';

const tables = readCaseTables();
const device = raw.device();

after(() => {
  raw.setIsa(device.isa);
  raw.setThreads(device.threads);
});

/** Written out from the format: 5 bits of exponent, 10 of fraction. */
function valueOf(word: number): number {
  const [exponent, fraction] = [(word >> 10) & 31, word & 1023];
  const sign = word & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

const isNaNWord = (word: number): boolean => (word & 0x7fff) > 0x7c00;
test('the host widens every f16 to its value, and narrows it back to its word', () => {
  const values = widen(all);
  values.forEach((value, word) => {
    if (!Object.is(value, valueOf(word))) assert.fail(`0x${word.toString(16)} became ${value}`);
  });
  narrow(values).forEach((word, i) => {
    if (word !== (isNaNWord(i) ? i | 0x200 : i)) assert.fail(`0x${i.toString(16)} came back as 0x${word.toString(16)}`);
  });
});

test('the nearest f16 is taken, and of two the even one', () => {
  const around = wordsAround();
  const values = new Float32Array(around.buffer);
  const words = narrow(values);
  values.forEach((value, i) => {
    const word = words[i] ?? 0;
    if (Number.isNaN(value)) {
      assert.ok(isNaNWord(word));
      return;
    }
    const distance = (other: number): number => Math.abs(valueOf(other) - value);
    if (Math.abs(value) >= 65520) {
      assert.equal(word & 0x7fff, 0x7c00);
      return;
    }
    const magnitude = word & 0x7fff;
    const sign = word & 0x8000;
    for (const other of [magnitude - 1, magnitude + 1]) {
      if (other < 0 || other >= 0x7c00) continue;
      const closer = distance(word) - distance(sign | other);
      if (closer > 0 || (closer === 0 && word % 2 === 1)) assert.fail(`${value} became 0x${word.toString(16)}`);
    }
  });
});

for (const isa of device.runnable) {
  test(`${isa} converts as the host does, to and fro`, () => {
    raw.setIsa(isa);
    for (const threads of [1, 3]) {
      raw.setThreads(threads);
      convertsAsTheHost(raw);
    }
  });
}

/** Elements of a case beyond which it only takes time. */
const LARGEST = 1 << 15;
/** Cases of an op, from the first on. */
const CASES = 12;

for (const info of raw.ops()) {
  const cases = (tables.get(info.name)?.cases ?? []).filter((one) =>
    [...one.in, ...one.out].every((operand) => (operand?.n ?? 0) <= LARGEST),
  );
  test(`${info.name} on f16 gives what it gives on f32, rounded once`, () => {
    assert.ok(cases.length > 0);
    cases.slice(0, CASES).forEach((one, c) => {
      raw.setIsa(device.runnable[c % device.runnable.length] ?? device.isa);
      raw.setThreads(1 + (c % 3));
      sameAsWidened(raw, info, one, c);
    });
  });
}

test('a mask is refused on integers, at odd bytes, of operands that are not there, and over what is stored otherwise', () => {
  const refuses = (
    code: string,
    name: string,
    params: Record<string, number>,
    sizes: readonly number[],
    mask: number,
    at = 0,
  ) => {
    const info = opInfo(name);
    withBuffers(
      raw,
      sizes.map((bytes) => new Uint8Array(bytes + 8)),
      (handles) => {
        const triples = sizes.flatMap((bytes, i) => [handles[i] ?? 0, at, bytes]);
        const call = [
          info.id,
          encodeParams(info, params),
          Float64Array.from(triples),
          sizes.length - 1,
          1,
          mask,
        ] as const;
        for (const run of [raw.run, submitCall, planCall]) assert.throws(() => run(...call), { code }, name);
      },
    );
  };
  refuses('E_DTYPE', 'cast', { from: 1, to: 0, count: 4, scale: 1 }, [16, 16], 1);
  refuses('E_DTYPE', 'cast', { from: 0, to: 2, count: 4, scale: 1 }, [16, 16], 2);
  refuses('E_DTYPE', 'cast', { from: 0, to: 1, count: 4, scale: 1 }, [16, 16], 3);
  refuses('E_DTYPE', 'unary', { code: 27, count: 4 }, [16, 16], 2);
  refuses('E_ARGUMENT', 'cast', { from: 0, to: 0, count: 4, scale: 1 }, [8, 16], 1, 1);
  refuses('E_ARGUMENT', 'cast', { from: 0, to: 0, count: 4, scale: 1 }, [16, 16], 4);
  refuses('E_SHAPE', 'cast', { from: 0, to: 0, count: 4, scale: 1 }, [6, 16], 1);
  // The output over the input is an item for an item only where both are stored alike.
  const info = opInfo('cast');
  withBuffers(raw, [new Uint8Array(64)], ([handle = 0]) => {
    const params = encodeParams(info, { count: 8, scale: 1 });
    const call = (half: number): void =>
      raw.run(
        info.id,
        params,
        Float64Array.of(handle, 0, half & 1 ? 16 : 32, handle, 0, half & 2 ? 16 : 32),
        1,
        1,
        half,
      );
    assert.throws(() => call(1), { code: 'E_ARGUMENT' });
    assert.throws(() => call(2), { code: 'E_ARGUMENT' });
    call(3);
    raw.wait();
  });
});

test('without memory to widen into an op fails with E_OOM, and the next one works', () => {
  const values = bytesOf(Uint16Array.of(0x3c00, 0x4000));
  raw.failScratch(1, 1);
  try {
    assert.throws(() => castBits(raw, values, 2, 1), { code: 'E_OOM', message: /cast: / });
  } finally {
    raw.failScratch(0, 0);
  }
  assert.deepEqual([...new Float32Array(castBits(raw, values, 2, 1).slice().buffer)], [1, 2]);
});
