// Random parameter bytes and random operands for one op. The op's check must refuse them, or the op must run and touch
// nothing but its outputs. Half of the parameters are those of a conformance case with a few fields changed, since
// purely random ones rarely get past the first check.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NativeDevice, OpInfo } from '../../src/binding.js';
import { readCaseTables } from '../support/case_file.js';
import { brokenGuard, itemBytes } from '../support/compare.js';
import { mix } from '../support/formula.js';
import { checkCall, encodeParams, planCall, raw, submitCall } from '../support/raw.js';
import { isRefusal } from './refusal.js';

const tables = readCaseTables();
const GUARD = 4096;

interface Slot {
  readonly bytes: number;
  /** Bytes past an aligned address. */
  readonly shift: number;
  /** The slot whose buffer this operand shares, at a distance of `shift`; -1: none. */
  readonly alias: number;
  readonly absent: boolean;
  /** Stored as f16, or said to be. */
  readonly half: boolean;
  /** Contents, where they must make sense as a table: 32-bit integers. */
  readonly table?: readonly number[];
}

const specialWord = fc.constantFrom(
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  16,
  17,
  64,
  255,
  256,
  65535,
  65536,
  2 ** 24,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  2 ** 32 - 2,
  2 ** 32 - 1,
  0x3f800000,
  0x7f800000,
  0xff800000,
  0x7fc00000,
  0x00000001,
  0x3a83126f,
);
const word = fc.oneof(
  { weight: 4, arbitrary: specialWord },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
);

function setup(info: OpInfo) {
  const cases = (tables.get(info.name)?.cases ?? []).filter((one) =>
    [...one.in, ...one.out].every((operand) => operand === null || operand.n <= 4096),
  );
  const slot = fc.record<Slot>({
    bytes: fc.oneof(fc.integer({ min: 0, max: 64 }), fc.constantFrom(0, 4, 256, 1024, 4096, 16384)),
    shift: fc.constantFrom(0, 0, 4, 1, 2),
    alias: fc.oneof(
      { weight: 9, arbitrary: fc.constant(-1) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
    ),
    absent: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    half: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  });
  const random = fc.record({
    params: fc.array(word, { minLength: info.paramBytes / 4, maxLength: info.paramBytes / 4 }),
    inputs: fc.array(slot, { minLength: info.minIn, maxLength: info.maxIn }),
    outputs: fc.array(slot, { minLength: info.minOut, maxLength: info.maxOut }),
    seed: fc.integer(),
  });
  if (cases.length === 0) return random;
  const near = fc
    .record({
      at: fc.integer({ min: 0, max: cases.length - 1 }),
      changes: fc.array(fc.tuple(fc.integer({ min: 0, max: Math.max(info.paramBytes / 4 - 1, 0) }), word), {
        maxLength: 3,
      }),
      steps: fc.array(fc.constantFrom(-64, -4, -1, 0, 0, 0, 0, 0, 0, 0, 0, 4, 64), { minLength: 16, maxLength: 16 }),
      slots: fc.array(slot, { minLength: 16, maxLength: 16 }),
      faithful: fc.record({ params: fc.boolean(), operands: fc.boolean() }),
      seed: fc.integer(),
    })
    .map(({ at, changes, steps, slots, faithful, seed }) => {
      const one = cases[at];
      assert.ok(one);
      const bytes = encodeParams(info, one.params);
      const params = [...new Uint32Array(bytes.buffer)];
      if (!faithful.params) for (const [i, value] of changes) params[i] = value;
      const operand = (o: (typeof one.in)[number], i: number): Slot => {
        const half = (slots[i]?.half ?? false) && o?.dtype === 'f32';
        const size = half ? 2 : itemBytes[o?.dtype ?? 'f32'];
        const exact = { bytes: (o?.n ?? 0) * size, shift: 0, alias: -1, absent: o === null, half };
        const table = o !== null && typeof o.fill === 'object' && o.dtype === 'i32' ? { table: o.fill } : {};
        const base = slots[i];
        if (faithful.operands || !base) return { ...exact, ...table };
        if (o === null) return { ...base, absent: !base.absent };
        return { ...base, bytes: Math.max(0, o.n * size + (steps[i] ?? 0)) };
      };
      return {
        params,
        inputs: one.in.map(operand),
        outputs: one.out.map((o, i) => operand(o, one.in.length + i)),
        seed,
      };
    });
  return fc.oneof(random, near, near, near);
}

/** A byte of an operand's contents: now and then NaN or huge, mostly small. */
function contents(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const kind = mix(0, seed) % 3;
  for (let i = 0; i + 4 <= length; i += 4) {
    const r = mix(i + 1, seed);
    if (kind === 0) view.setInt32(i, r % 7, true);
    else if (kind === 1) view.setFloat32(i, (r % 2001) / 1000 - 1, true);
    else view.setUint32(i, r, true);
  }
  return bytes;
}

/** The promises of timed calls: each resolves, or rejects with a refusal. */
const WILD = [Number.NaN, -1, 0.5, 2 ** 26, 2 ** 40, 2 ** 60, Number.POSITIVE_INFINITY];

type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;

/** Whether the contract's check, by itself, lets a call through. It throws an AnnealError or nothing. */
function checks(info: OpInfo, ...call: Tail<Parameters<typeof checkCall>>): boolean {
  try {
    checkCall(info.id, ...call);
    return true;
  } catch (error) {
    assert.ok(isRefusal(error), `${info.name}: expected an AnnealError, received ${String(error)}`);
    return false;
  }
}

export const timed: Promise<unknown>[] = [];

/** As `raw.run`, twice, on the addon's clock. */
function timeTwice(...call: Parameters<typeof raw.run>): void {
  const [op, params, operands, nIn, nOut, half = 0] = call;
  // Only what is f32 is timed.
  if (half !== 0) {
    raw.run(...call);
    return;
  }
  timed.push(
    raw.time(op, params, operands, nIn, nOut, 2, 1, operands.length % 2 === 0 ? 0 : 1).catch((error: unknown) => {
      assert.ok(isRefusal(error), `time: expected an AnnealError, received ${String(error)}`);
    }),
  );
}

/** How many runs of each op were accepted: a property that only ever sees refusals proves little. */
export const accepted = new Map<string, number>();

/** The property: refuse, or run and write to the outputs only. On every instruction set; or on another device of the addon's. */
export function opProperty(info: OpInfo, device: NativeDevice = raw): fc.IProperty<unknown> {
  const isa = fc.constantFrom(...raw.device().runnable);
  accepted.set(info.name, 0);
  return fc.property(setup(info), isa, ({ params, inputs, outputs, seed }, kernels) => {
    raw.setIsa(kernels);
    const slots = [...inputs, ...outputs];
    const handles: number[] = [];
    const operands = new Float64Array(3 * slots.length);
    // One entry for each buffer: its bytes before, and the regions within it that the op may write.
    const buffers: { handle: number; before: Uint8Array; writable: [offset: number, bytes: number][] }[] = [];
    const home: number[] = [];
    try {
      slots.forEach((slot, i) => {
        home[i] = -1;
        if (slot.absent) return;
        const shared = slot.alias >= 0 && slot.alias < i ? (home[slot.alias] ?? -1) : -1;
        let at = shared;
        if (at < 0) {
          const before = contents(GUARD + 16 + slot.bytes + GUARD, seed + i);
          if (slot.table) before.set(new Uint8Array(Int32Array.from(slot.table).buffer), GUARD + slot.shift);
          const handle = device.alloc(before.length);
          handles.push(handle);
          device.write(handle, 0, before);
          at = buffers.push({ handle, before, writable: [] }) - 1;
        }
        home[i] = at;
        const buffer = buffers[at];
        assert.ok(buffer);
        const offset = GUARD + slot.shift;
        const bytes = Math.min(slot.bytes, buffer.before.length - offset);
        operands.set([buffer.handle, offset, bytes], 3 * i);
        if (i >= inputs.length) buffer.writable.push([offset, bytes]);
      });
      const bytes = new Uint8Array(Uint32Array.from(params).buffer);
      const known = [0, ...handles];
      const elsewhere = operands.map((value, i) => (i % 3 === 0 ? known.indexOf(value) : value));
      // Numbers no buffer has: refused, or checked against others, but never read.
      const wild = elsewhere.map((value, i) =>
        mix(i, seed) % 5 === 0 ? (WILD[mix(i + 1, seed) % WILD.length] ?? 0) : value,
      );
      // Now and then of operands that are not there.
      const half = slots.reduce(
        (mask, slot, i) => (slot.half ? mask | (1 << i) : mask),
        mix(3, seed) % 50 === 0 ? 2 ** 30 : 0,
      );
      checks(info, bytes, wild, inputs.length, outputs.length, half);
      const checked = checks(info, bytes, elsewhere, inputs.length, outputs.length, half);
      try {
        const ways = device === raw ? [raw.run, submitCall, timeTwice, planCall] : [device.run];
        const run = ways[Math.abs(seed % ways.length)] ?? device.run;
        run(info.id, bytes, operands, inputs.length, outputs.length, half);
        device.wait();
        assert.ok(checked, `${info.name}: the check alone refused what ran`);
        accepted.set(info.name, (accepted.get(info.name) ?? 0) + 1);
      } catch (error) {
        assert.ok(isRefusal(error), `${info.name}: expected an AnnealError, received ${String(error)}`);
      }
      for (const { handle, before, writable } of buffers) {
        const after = new Uint8Array(device.readSync(handle, 0, before.length));
        // Outputs that share a buffer begin within 4 bytes of each other: their union is one region.
        const begin = Math.min(...writable.map(([offset]) => offset), GUARD);
        const end = Math.max(...writable.map(([offset, bytes]) => offset + bytes), begin);
        const at = brokenGuard(before, after, begin, writable.length > 0 ? end - begin : 0);
        assert.equal(at, null, `${info.name} wrote outside of its outputs, ${at} bytes from one of ${end - begin}`);
      }
    } finally {
      for (const handle of handles) device.free(handle, mix(handle, seed) % 2 === 0);
    }
  });
}
