// Ops on operands that are stored as f16, on a device of the addon's: against the same device on f32.
import assert from 'node:assert/strict';
import type { NativeDevice, OpInfo } from '../../src/binding.js';
import { narrow, widen } from '../../src/tensor/half.js';
import type { OpCase } from './case_file.js';
import { type Placed, placeCase } from './conformance.js';
import { asHalf, halfWords, roundedToHalf } from './half.js';
import { callsOn, encodeParams, opInfo } from './raw.js';

/** Buffers of these bytes while `fn` runs. */
export function withBuffers<T>(
  device: NativeDevice,
  contents: readonly Uint8Array[],
  fn: (handles: readonly number[]) => T,
): T {
  const handles = contents.map((bytes) => {
    const handle = device.alloc(bytes.length);
    device.write(handle, 0, bytes);
    return handle;
  });
  try {
    return fn(handles);
  } finally {
    for (const handle of handles) device.free(handle);
  }
}

export const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** f32 to f32 by `cast`, of which the input (1), the output (2) or both are stored as f16. */
export function castBits(device: NativeDevice, from: Uint8Array, count: number, half: number): Uint8Array {
  const info = opInfo('cast');
  const [inBytes, outBytes] = [count * (half & 1 ? 2 : 4), count * (half & 2 ? 2 : 4)];
  return withBuffers(device, [from, new Uint8Array(outBytes)], ([a = 0, b = 0]) => {
    const params = encodeParams(info, { count, scale: 1, offset: -0 });
    device.run(info.id, params, Float64Array.of(a, 0, inBytes, b, 0, outBytes), 1, 1, half);
    return new Uint8Array(device.readSync(b, 0, outBytes));
  });
}

/** Every f16. */
export const all = Uint16Array.from({ length: 65536 }, (_, word) => word);

/** Around every f16, and halfway to the next: words of f32. */
export function wordsAround(): Uint32Array {
  const bits = new Uint32Array(widen(all).buffer);
  const steps = [-1, 0, 1, 0xfff, 0x1000, 0x1001];
  return Uint32Array.from([...bits].flatMap((word) => steps.map((step) => (word + step) >>> 0)));
}

/** That the device converts to and fro as the host does, to the bit. */
export function convertsAsTheHost(device: NativeDevice): void {
  const around = wordsAround();
  // An odd number: the last ones go another way.
  const widened = castBits(device, bytesOf(all.subarray(0, 65535)), 65535, 1);
  assert.ok(Buffer.from(widened).equals(bytesOf(widen(all)).subarray(0, 4 * 65535)), 'widened');
  const narrowed = castBits(device, bytesOf(around), around.length - 1, 2);
  const expected = bytesOf(narrow(new Float32Array(around.buffer))).subarray(0, narrowed.length);
  assert.ok(Buffer.from(narrowed).equals(expected), 'narrowed');
}

function words(
  device: NativeDevice,
  info: OpInfo,
  one: OpCase,
  operands: readonly (Placed | null)[],
  half: number,
  run: NativeDevice['run'],
): Uint8Array[] {
  const present = operands.filter((operand) => operand !== null);
  return withBuffers(
    device,
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
      device.wait();
      return present.map(({ image }, i) => new Uint8Array(device.readSync(handles[i] ?? 0, 0, image.length)));
    },
  );
}

/** Operands of a case that may be f16: all of them, or every other one. */
function masksOf(one: OpCase): number[] {
  const bits = [...one.in, ...one.out].flatMap((operand, i) => (operand?.dtype === 'f32' ? [1 << i] : []));
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a | b, 0);
  return [...new Set([sum(bits), sum(bits.filter((_, i) => i % 2 === 0)), sum(bits.filter((_, i) => i % 2 === 1))])];
}

/**
 * That a case, the `c`-th of its op, gives with operands stored as f16 the bits that it gives on the same device with the widened values,
 * rounded once: whichever operands are f16, and whichever way the op is called.
 */
export function sameAsWidened(device: NativeDevice, info: OpInfo, one: OpCase, c: number): void {
  const { run, submit, plan } = callsOn(device);
  const byWay = [run, submit, plan][one.out.some((o) => o?.inout) ? c % 2 : c % 3] ?? run;
  const given = placeCase(info, one, c % 2 === 0 ? 'integers' : 'random', false);
  for (const mask of masksOf(one)) {
    const isHalf = (i: number): boolean => ((mask >> i) & 1) !== 0;
    const misaligned = c % 2 === 1;
    const stored = given.map((p, i) => (p && isHalf(i) ? asHalf(p, misaligned) : p));
    const widened = given.map((p, i) => (p && isHalf(i) ? roundedToHalf(p) : p));
    const expected = words(device, info, one, widened, 0, device.run);
    const actual = words(device, info, one, stored, mask, byWay);
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
}
