// Writes the case tables as the file that native/test/conformance.cpp reads; the format is described there.
import { writeFileSync } from 'node:fs';
import type { OpInfo } from '../../../src/binding.js';
import { type Bound, type CaseOperand, type OpCase, readCaseTables } from '../../support/case_file.js';
import { place, type Values } from '../../support/conformance.js';
import { seedOf } from '../../support/formula.js';
import { encodeParams, opInfo } from '../../support/raw.js';

class Writer {
  readonly #parts: Uint8Array[] = [];

  u32(value: number): void {
    this.#parts.push(new Uint8Array(Uint32Array.of(value).buffer));
  }
  f64(value: number): void {
    this.#parts.push(new Uint8Array(Float64Array.of(value).buffer));
  }
  blob(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.#parts.push(bytes);
  }
  text(value: string): void {
    this.blob(Buffer.from(value));
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const dtypeCode = { f32: 0, i32: 1, u8: 2 } as const;

function writeBound(out: Writer, one: OpCase, bound: Bound, exact: boolean): void {
  const [mode, relative, absolute] = exact
    ? [0, 0, 0]
    : bound === 'bilinear'
      ? [2, 4 * (Math.sqrt(one.k ?? Number.NaN) + 4) * 2 ** -24, 0]
      : [1, bound.relative, bound.absolute];
  out.u32(mode);
  out.f64(relative);
  out.f64(absolute);
}

function contents(operand: CaseOperand, seed: number, values: Values, isOutput: boolean): Uint8Array {
  const placed = place(operand, seed, values, isOutput, false);
  return placed.image.subarray(placed.offset, placed.offset + placed.bytes);
}

function writeCase(out: Writer, info: OpInfo, one: OpCase, bound: Bound, values: 'integers' | 'random'): void {
  const exact = values === 'integers' && one.exact;
  const bilinear = !exact && bound === 'bilinear';
  out.text(info.name);
  out.text(`${one.name}, ${values}`);
  out.blob(encodeParams(info, one.params));
  // As in test/support/conformance.ts: an activation would hide the magnitude of what it is applied to.
  const plain = 'activation' in one.params ? { ...one.params, activation: 0 } : one.params;
  out.blob(encodeParams(info, plain));
  writeBound(out, one, bound, exact);
  out.u32(one.in.length);
  out.u32(one.out.length);
  [...one.in, ...one.out].forEach((operand, i) => {
    out.u32(operand ? 1 : 0);
    if (!operand) return;
    const seed = seedOf(`${info.name} ${one.name} ${values} ${i}`);
    out.u32(dtypeCode[operand.dtype]);
    out.u32(bilinear ? 2 : 1);
    out.blob(contents(operand, seed, values, i >= one.in.length));
    if (bilinear) out.blob(contents(operand, seed, `|${values}|`, i >= one.in.length));
  });
}

export interface Written {
  readonly cases: number;
  /** Of these, how many have an output that is not empty. */
  readonly withOutput: number;
}

const MOST_PRODUCTS = 1 << 24;
const MOST_ITEMS = 1 << 20;

/** Whether a case takes an emulator or a sanitizer seconds, not minutes; test/kernels/conformance.test.ts runs the rest. */
function isSmall(one: OpCase): boolean {
  const items = (list: readonly (CaseOperand | null)[]) => list.reduce((sum, operand) => sum + (operand?.n ?? 0), 0);
  return items(one.out) * (one.k ?? 1) <= MOST_PRODUCTS && items(one.in) + items(one.out) <= MOST_ITEMS;
}

const bothValues = ['integers', 'random'] as const;

/**
 * Writes every small case, or the first of each op, with small integers and with random values. Which memory is touched,
 * and by which thread, does not depend on them: one kind is enough to see that.
 */
export function writeNativeCases(
  path: string,
  which: 'every' | 'first' = 'every',
  kinds: readonly ('integers' | 'random')[] = bothValues,
): Written {
  const out = new Writer();
  const tables = [...readCaseTables().values()].map((table) => {
    const cases = table.cases.filter(isSmall);
    return { ...table, cases: which === 'every' ? cases : cases.slice(0, 1) };
  });
  const all = tables.flatMap((table) => table.cases);
  const withOutput = all.filter((one) => one.out.some((operand) => operand && operand.n > 0));
  out.u32(kinds.length * all.length);
  for (const table of tables) {
    const info = opInfo(table.op);
    for (const one of table.cases)
      for (const values of kinds) writeCase(out, info, one, one.bound ?? table.bound, values);
  }
  writeFileSync(path, out.bytes());
  return { cases: kinds.length * all.length, withOutput: kinds.length * withOutput.length };
}
