// Operands that are stored as f16: the conversions, bit for bit on every instruction set, and every op on them, which must give
// the bits of the same kernel on the widened values, rounded once.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { OpInfo } from '../../src/binding.js';
import { narrow, widen } from '../../src/tensor/half.js';
import { type OpCase, readCaseTables } from '../support/case_file.js';
import { type Placed, placeCase } from '../support/conformance.js';
import { asHalf, halfWords, roundedToHalf } from '../support/half.js';
import { encodeParams, opInfo, planCall, raw, submitCall } from '../support/raw.js';

const tables = readCaseTables();
const device = raw.device();

after(() => {
  raw.setIsa(device.isa);
  raw.setThreads(device.threads);
});

/** Buffers of these bytes while `fn` runs. */
function withBuffers<T>(contents: readonly Uint8Array[], fn: (handles: readonly number[]) => T): T {
  const handles = contents.map((bytes) => {
    const handle = raw.alloc(bytes.length);
    raw.write(handle, 0, bytes);
    return handle;
  });
  try {
    return fn(handles);
  } finally {
    for (const handle of handles) raw.free(handle);
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** f32 to f32 by `cast`, of which the input (1), the output (2) or both are stored as f16. */
function castBits(from: Uint8Array, count: number, half: number): Uint8Array {
  const info = opInfo('cast');
  const [inBytes, outBytes] = [count * (half & 1 ? 2 : 4), count * (half & 2 ? 2 : 4)];
  return withBuffers([from, new Uint8Array(outBytes)], ([a = 0, b = 0]) => {
    const params = encodeParams(info, { count, scale: 1, offset: -0 });
    raw.run(info.id, params, Float64Array.of(a, 0, inBytes, b, 0, outBytes), 1, 1, half);
    return new Uint8Array(raw.readSync(b, 0, outBytes));
  });
}

/** Written out from the format: 5 bits of exponent, 10 of fraction. */
function valueOf(word: number): number {
  const [exponent, fraction] = [(word >> 10) & 31, word & 1023];
  const sign = word & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

const isNaNWord = (word: number): boolean => (word & 0x7fff) > 0x7c00;
const all = Uint16Array.from({ length: 65536 }, (_, word) => word);

test('the host widens every f16 to its value, and narrows it back to its word', () => {
  const values = widen(all);
  values.forEach((value, word) => {
    if (!Object.is(value, valueOf(word))) assert.fail(`0x${word.toString(16)} became ${value}`);
  });
  narrow(values).forEach((word, i) => {
    if (word !== (isNaNWord(i) ? i | 0x200 : i)) assert.fail(`0x${i.toString(16)} came back as 0x${word.toString(16)}`);
  });
});

/** Around every f16, and halfway to the next: words of f32. */
function wordsAround(): Uint32Array {
  const bits = new Uint32Array(widen(all).buffer);
  const steps = [-1, 0, 1, 0xfff, 0x1000, 0x1001];
  return Uint32Array.from([...bits].flatMap((word) => steps.map((step) => (word + step) >>> 0)));
}

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
    const around = wordsAround();
    for (const threads of [1, 3]) {
      raw.setThreads(threads);
      // An odd number: the last ones go another way.
      const widened = castBits(bytesOf(all.subarray(0, 65535)), 65535, 1);
      assert.ok(Buffer.from(widened).equals(bytesOf(widen(all)).subarray(0, 4 * 65535)));
      const narrowed = castBits(bytesOf(around), around.length - 1, 2);
      const expected = bytesOf(narrow(new Float32Array(around.buffer))).subarray(0, narrowed.length);
      assert.ok(Buffer.from(narrowed).equals(expected));
    }
  });
}

/** Elements of a case beyond which it only takes time. */
const LARGEST = 1 << 15;
/** Cases of an op, from the first on. */
const CASES = 12;

function words(
  info: OpInfo,
  one: OpCase,
  operands: readonly (Placed | null)[],
  half: number,
  run = raw.run,
): Uint8Array[] {
  const present = operands.filter((operand) => operand !== null);
  return withBuffers(
    present.map(({ image }) => image),
    (handles) => {
      let next = 0;
      const triples = operands.map((p) => (p ? [handles[next++] ?? 0, p.offset, p.bytes] : [0, 0, 0]));
      run(
        info.id,
        encodeParams(info, one.params),
        Float64Array.from(triples.flat()),
        one.in.length,
        one.out.length,
        half,
      );
      raw.wait();
      return present.map(({ image }, i) => new Uint8Array(raw.readSync(handles[i] ?? 0, 0, image.length)));
    },
  );
}

/** Operands of a case that may be f16: all of them, or every other one. */
function masksOf(one: OpCase): number[] {
  const bits = [...one.in, ...one.out].flatMap((operand, i) => (operand?.dtype === 'f32' ? [1 << i] : []));
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a | b, 0);
  return [...new Set([sum(bits), sum(bits.filter((_, i) => i % 2 === 0)), sum(bits.filter((_, i) => i % 2 === 1))])];
}

for (const info of raw.ops()) {
  const cases = (tables.get(info.name)?.cases ?? []).filter((one) =>
    [...one.in, ...one.out].every((operand) => (operand?.n ?? 0) <= LARGEST),
  );
  test(`${info.name} on f16 gives what it gives on f32, rounded once`, () => {
    assert.ok(cases.length > 0);
    cases.slice(0, CASES).forEach((one, c) => {
      raw.setIsa(device.runnable[c % device.runnable.length] ?? device.isa);
      raw.setThreads(1 + (c % 3));
      const given = placeCase(info, one, c % 2 === 0 ? 'integers' : 'random', false);
      for (const mask of masksOf(one)) {
        const isHalf = (i: number): boolean => ((mask >> i) & 1) !== 0;
        const misaligned = c % 2 === 1;
        const stored = given.map((p, i) => (p && isHalf(i) ? asHalf(p, misaligned) : p));
        const widened = given.map((p, i) => (p && isHalf(i) ? roundedToHalf(p) : p));
        const expected = words(info, one, widened, 0);
        const run = [raw.run, submitCall, planCall][one.out.some((o) => o?.inout) ? c % 2 : c % 3] ?? raw.run;
        const actual = words(info, one, stored, mask, run);
        let present = 0;
        stored.forEach((p, i) => {
          if (!p) return;
          const [now, then, wide] = [actual[present], expected[present], widened[i]];
          present++;
          assert.ok(now && then && wide);
          const image = p.image.slice();
          const values = then.slice(wide.offset, wide.offset + wide.bytes);
          if (i >= one.in.length) image.set(isHalf(i) ? bytesOf(halfWords(values)) : values, p.offset);
          const at = Buffer.compare(now, image) === 0 ? -1 : now.findIndex((byte, k) => byte !== image[k]);
          assert.equal(at, -1, `'${one.name}', mask ${mask}, operand ${i}: another byte at ${at - p.offset}`);
        });
      }
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
  withBuffers([new Uint8Array(64)], ([handle = 0]) => {
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
    assert.throws(() => castBits(values, 2, 1), { code: 'E_OOM', message: /cast: / });
  } finally {
    raw.failScratch(0, 0);
  }
  assert.deepEqual([...new Float32Array(castBits(values, 2, 1).slice().buffer)], [1, 2]);
});
