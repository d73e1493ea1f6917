// Runs a case of an op: against the reference kernels, between guards, on every number of threads.
import { opNames } from '../../src/backend/backend.js';
import type { InstructionSet, NativeDevice, OpInfo } from '../../src/binding.js';
import { registry } from '../../src/ops/registry.js';
import type { Bound, CaseOperand, Fill, OpCase } from './case_file.js';
import { brokenGuard, changedByte, compareExact, compareWithin, itemBytes, type Mismatch, viewAs } from './compare.js';
import { mix, seedOf, symmetric } from './formula.js';
import { encodeParams, raw } from './raw.js';

/**
 * Small integers -3..3 or random values; or, for the magnitude of results, those without their sign; or random values
 * with one NaN in each operand.
 */
export type Values = 'integers' | 'random' | '|integers|' | '|random|' | 'poisoned';

const threadCounts = [2, 3, 4, 5]; // against 1
const misalignedThreads = 3; // of these, the one that also runs on operands at odd offsets
const inputGuard = 0xff; // reads of it give NaN
const outputGuard = 0xa5;
const unwritten = 0xff; // what an output holds before: a kernel that adds to it gives NaN

function value(fill: Fill, i: number, seed: number, integer: boolean): number {
  if (typeof fill !== 'string') {
    const given = fill[i];
    if (given === undefined) throw new Error(`a fill of ${fill.length} values is too short`);
    return given;
  }
  switch (fill) {
    case 'uniform':
      return integer ? (mix(i, seed) % 7) - 3 : symmetric(i, seed);
    case 'positive':
      return integer ? (mix(i, seed) % 3) + 1 : 0.6 + symmetric(i, seed) / 2;
    case 'u8':
      return mix(i, seed) & 255;
    case 'bool':
      return mix(i, seed) & 1;
    default: {
      const limit = Number(fill.slice('index:'.length));
      if (!(limit >= 1)) throw new Error(`unknown fill '${fill}'`);
      return mix(i, seed) % limit;
    }
  }
}

/** An operand inside a larger buffer, guards on both sides. */
export interface Placed {
  readonly operand: CaseOperand;
  readonly image: Uint8Array;
  readonly offset: number;
  readonly bytes: number;
}

export function place(
  operand: CaseOperand,
  seed: number,
  values: Values,
  isOutput: boolean,
  misaligned: boolean,
): Placed {
  const size = itemBytes[operand.dtype];
  const offset = misaligned ? 17 * size : 64;
  const bytes = operand.n * size;
  const image = new Uint8Array(offset + bytes + 19 * size);
  image.fill(isOutput ? outputGuard : inputGuard);
  const region = image.subarray(offset, offset + bytes);
  if (isOutput && operand.inout !== true) {
    region.fill(unwritten);
  } else {
    const view = new DataView(region.buffer, region.byteOffset, bytes);
    for (let i = 0; i < operand.n; i++) {
      let v = value(operand.fill, i, seed, values.includes('integers'));
      if (values.startsWith('|') && operand.dtype === 'f32') v = Math.abs(v);
      if (operand.dtype === 'f32') view.setFloat32(4 * i, v, true);
      else if (operand.dtype === 'i32') view.setInt32(4 * i, v, true);
      else view.setUint8(i, v);
    }
    if (values === 'poisoned' && operand.dtype === 'f32' && operand.n > 0)
      view.setFloat32(4 * (mix(operand.n, seed) % operand.n), Number.NaN, true);
  }
  return { operand, image, offset, bytes };
}

export interface Ran {
  /** Whole buffers after the run, in the order of the operands; null for absent ones. */
  readonly before: readonly (Placed | null)[];
  readonly after: readonly (Uint8Array | null)[];
}

/** A case's operands in their buffers, with such contents. */
export function placeCase(info: OpInfo, one: OpCase, values: Values, misaligned: boolean): readonly (Placed | null)[] {
  const seed = seedOf(`${info.name} ${one.name} ${values.includes('integers') ? 'integers' : 'random'}`);
  return [
    ...one.in.map((o, i) => o && place(o, mix(i, seed), values, false, misaligned)),
    ...one.out.map((o, i) => o && place(o, mix(100 + i, seed), values, true, misaligned)),
  ];
}

/** Flops of a case, by the op's cost. */
export function flopsOf(info: OpInfo, one: OpCase): number {
  const name = opNames[info.id];
  const bytes = (list: OpCase['in']): number[] =>
    list.map((operand) => (operand?.n ?? 0) * (operand?.dtype === 'u8' ? 1 : 4));
  if (name === undefined) return 0;
  return registry[name].cost(encodeParams(info, one.params), { inputs: bytes(one.in), outputs: bytes(one.out) }).flops;
}

/** Runs one op in buffers of its own. */
export function runCase(
  info: OpInfo,
  one: OpCase,
  values: Values,
  misaligned: boolean,
  placed = placeCase(info, one, values, misaligned),
  device: NativeDevice = raw,
): Ran {
  const params: Record<string, number | readonly number[]> = { ...one.params };
  // An activation would hide the magnitude of what it is applied to.
  if (values.startsWith('|') && 'activation' in params) params.activation = 0;
  const handles: number[] = [];
  try {
    const operands = new Float64Array(3 * placed.length);
    placed.forEach((p, i) => {
      if (!p) return;
      const handle = device.alloc(p.image.length);
      handles.push(handle);
      device.write(handle, 0, p.image);
      operands.set([handle, p.offset, p.bytes], 3 * i);
    });
    device.run(info.id, encodeParams(info, params), operands, one.in.length, one.out.length);
    let next = 0;
    const after = placed.map((p) => p && new Uint8Array(device.readSync(handles[next++] ?? 0, 0, p.image.length)));
    return { before: placed, after };
  } finally {
    for (const handle of handles) device.free(handle);
  }
}

function region(ran: Ran, i: number): Uint8Array | null {
  const p = ran.before[i];
  const after = ran.after[i];
  return p && after ? after.subarray(p.offset, p.offset + p.bytes) : null;
}

/** Sizes that say where in an output a flat index lies, when the op's parameters have them under the usual names. */
const shapes = [
  ['batch', 'm', 'n'],
  ['n', 'oh', 'ow', 'oc'],
  ['n', 'oh', 'ow', 'c'],
  ['n', 'h', 'w', 'ic'],
  ['n', 'h', 'w', 'c'],
  ['kh', 'kw', 'ic', 'oc'],
  ['m', 'n'],
  ['rows', 'cols'],
  ['rows', 'classes'],
  ['outer', 'inner'],
];

function indices(params: OpCase['params'], n: number, index: number): string {
  for (const names of shapes) {
    const dims = names.map((name) => params[name]);
    if (!dims.every((d) => typeof d === 'number') || dims.reduce((a, b) => a * b, 1) !== n) continue;
    let rest = index;
    const at = dims.map(() => 0);
    for (let d = dims.length - 1; d >= 0; d--) {
      const dim = dims[d] ?? 1;
      at[d] = rest % dim;
      rest = Math.floor(rest / dim);
    }
    return `[${at}] of ${names.map((name, d) => `${name}=${dims[d]}`).join(' ')}`;
  }
  return `element ${index} of ${n}`;
}

function describe(m: Mismatch, params: OpCase['params'], n: number): string {
  return (
    `${m.count} of ${n} elements are wrong, worst at ${indices(params, n, m.index)}: expected ${m.expected}, ` +
    `received ${m.actual}, off by ${Math.abs(m.actual - m.expected)}, tolerance ${m.tolerance}`
  );
}

/** What is wrong with a run, apart from its values: writes outside of the outputs. */
export function strayWrites(ran: Ran, nIn: number): string[] {
  const found: string[] = [];
  ran.before.forEach((p, i) => {
    const after = ran.after[i];
    if (!p || !after) return;
    if (i < nIn) {
      const at = changedByte(p.image, after);
      if (at !== null) found.push(`input ${i} was changed at byte ${at - p.offset}`);
    } else {
      const at = brokenGuard(p.image, after, p.offset, p.bytes);
      if (at !== null) found.push(`output ${i - nIn} (${p.bytes} bytes) was overrun at byte ${at}`);
    }
  });
  return found;
}

/** What is wrong with the values of `ran`, given what the reference makes of the same inputs. */
export function wrongValues(
  ran: Ran,
  reference: Ran,
  one: OpCase,
  mode: 'exact' | Bound,
  magnitudes: Ran | null,
): string[] {
  const found: string[] = [];
  one.out.forEach((operand, o) => {
    const i = one.in.length + o;
    const actualBytes = region(ran, i);
    const expectedBytes = region(reference, i);
    if (!operand || !actualBytes || !expectedBytes) return;
    const actual = viewAs(operand.dtype, actualBytes);
    const expected = viewAs(operand.dtype, expectedBytes);
    let mismatch: Mismatch | null;
    if (mode === 'exact' || operand.dtype !== 'f32') {
      mismatch = compareExact(actual, expected);
    } else if (mode === 'bilinear') {
      const bytes = magnitudes && region(magnitudes, i);
      if (!bytes) throw new Error('the bilinear bound needs the op of the magnitudes');
      const magnitude = viewAs('f32', bytes);
      const c = 4 * (Math.sqrt(one.k ?? Number.NaN) + 4) * 2 ** -24;
      mismatch = compareWithin(actual, expected, (at) => c * Math.abs(magnitude[at] ?? Number.NaN));
    } else {
      mismatch = compareWithin(
        actual,
        expected,
        (at) => mode.absolute + mode.relative * Math.abs(expected[at] ?? Number.NaN),
      );
    }
    if (mismatch) found.push(`output ${o}: ${describe(mismatch, one.params, operand.n)}`);
  });
  return found;
}

/** Outputs whose bits differ between two runs on the same inputs. */
export function differentBits(a: Ran, b: Ran, one: OpCase): string[] {
  const found: string[] = [];
  one.out.forEach((operand, o) => {
    const left = region(a, one.in.length + o);
    const right = region(b, one.in.length + o);
    const at = operand && left && right ? changedByte(left, right) : null;
    if (at !== null && operand) {
      const index = Math.floor(at / itemBytes[operand.dtype]);
      found.push(`output ${o}: other bits at ${indices(one.params, operand.n, index)}`);
    }
  });
  return found;
}

/**
 * Outputs where the reference is NaN and a kernel is not; or, unless `extra` is allowed, the other way round. A product
 * may multiply the zeros of its padding by a NaN where the reference leaves them out.
 */
export function differentNaNs(actual: Ran, expected: Ran, one: OpCase, extra: boolean): string[] {
  const found: string[] = [];
  one.out.forEach((operand, o) => {
    const left = region(actual, one.in.length + o);
    const right = region(expected, one.in.length + o);
    if (operand?.dtype !== 'f32' || !left || !right) return;
    const a = viewAs('f32', left);
    const e = viewAs('f32', right);
    const wrong = (i: number) => (Number.isNaN(e[i]) ? !Number.isNaN(a[i]) : !extra && Number.isNaN(a[i]));
    const at = a.findIndex((_, i) => wrong(i));
    if (at < 0) return;
    found.push(`output ${o}: expected ${e[at]}, received ${a[at]} at ${indices(one.params, operand.n, at)}`);
  });
  return found;
}

/** A case held against the reference on one instruction set after another: what they share is made once. */
export class CaseCheck {
  readonly #info: OpInfo;
  readonly #one: OpCase;
  readonly #bound: Bound;
  readonly #placed = new Map<string, readonly (Placed | null)[]>();
  readonly #reference = new Map<string, Ran>();

  constructor(info: OpInfo, one: OpCase, bound: Bound) {
    this.#info = info;
    this.#one = one;
    this.#bound = bound;
  }

  #run(isa: InstructionSet, values: Values, misaligned: boolean): Ran {
    const key = `${values} ${misaligned}`;
    const placed = this.#placed.get(key) ?? placeCase(this.#info, this.#one, values, misaligned);
    this.#placed.set(key, placed);
    raw.setIsa(isa);
    return runCase(this.#info, this.#one, values, misaligned, placed);
  }

  #expected(values: Values, misaligned: boolean): Ran {
    const key = `${values} ${misaligned}`;
    const ran = this.#reference.get(key) ?? this.#run('reference', values, misaligned);
    this.#reference.set(key, ran);
    return ran;
  }

  /** Everything that is wrong on one instruction set; empty when nothing is. */
  on(isa: InstructionSet): string[] {
    const [one, bound] = [this.#one, this.#bound];
    const found: string[] = [];
    const note = (what: string, lines: readonly string[]) => {
      for (const line of lines) found.push(`${what}: ${line}`);
    };
    const magnitudesOf = (values: '|integers|' | '|random|') =>
      bound === 'bilinear' ? this.#expected(values, false) : null;
    raw.setThreads(1);
    const exact = this.#run(isa, 'integers', true);
    note('small integers', strayWrites(exact, one.in.length));
    const exactReference = this.#expected('integers', true);
    note(
      'small integers',
      one.exact
        ? wrongValues(exact, exactReference, one, 'exact', null)
        : wrongValues(exact, exactReference, one, bound, magnitudesOf('|integers|')),
    );

    const random = this.#run(isa, 'random', false);
    note('random', strayWrites(random, one.in.length));
    const randomReference = this.#expected('random', false);
    const magnitudes = magnitudesOf('|random|');
    note('random', wrongValues(random, randomReference, one, bound, magnitudes));

    const poisoned = this.#run(isa, 'poisoned', true);
    note('NaN in the inputs', strayWrites(poisoned, one.in.length));
    const poisonedReference = this.#expected('poisoned', true);
    const extra = bound === 'bilinear' && 'padTop' in one.params;
    note('NaN in the inputs', differentNaNs(poisoned, poisonedReference, one, extra));

    for (const threads of threadCounts) {
      raw.setThreads(threads);
      const again = this.#run(isa, 'random', false);
      note(`${threads} threads`, strayWrites(again, one.in.length));
      note(`${threads} threads against 1`, differentBits(again, random, one));
      if (threads !== misalignedThreads) continue;
      // Alignment must not change results either, but only equal placements promise equal bits.
      const misaligned = this.#run(isa, 'random', true);
      note(`${threads} threads, misaligned`, strayWrites(misaligned, one.in.length));
      note(`${threads} threads, misaligned`, wrongValues(misaligned, randomReference, one, bound, magnitudes));
    }
    return found;
  }
}
