// The case tables of the kernels: kernels/<room>/<room>.cases.json.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type CaseDType = 'f32' | 'i32' | 'u8';

/**
 * `uniform` -1..1, `positive` 0.1..1.1, `index:LIMIT` integers in [0, LIMIT), `u8` 0..255, `bool` 0 or 1; an array is
 * the values themselves.
 */
export type Fill = 'uniform' | 'positive' | 'u8' | 'bool' | `index:${number}` | readonly number[];

export interface CaseOperand {
  readonly n: number;
  /** Default in the file: f32. */
  readonly dtype: CaseDType;
  /** Default in the file: uniform. */
  readonly fill: Fill;
  /** An output that is read as well: filled like an input first. */
  readonly inout?: boolean;
}

/** `bilinear`: 4 (sqrt(k) + 4) 2^-24 times the op of |inputs|; else absolute + relative |expected|. */
export type Bound = 'bilinear' | { readonly relative: number; readonly absolute: number };

export interface OpCase {
  readonly name: string;
  readonly params: Readonly<Record<string, number | readonly number[]>>;
  readonly in: readonly (CaseOperand | null)[];
  readonly out: readonly (CaseOperand | null)[];
  readonly k?: number;
  readonly exact: boolean;
  /** Overrides the op's. */
  readonly bound?: Bound;
}

export interface OpCases {
  readonly op: string;
  readonly bound: Bound;
  readonly cases: readonly OpCase[];
}

const root = fileURLToPath(new URL('../../kernels/', import.meta.url));
const known = {
  table: new Set(['op', 'bound', 'cases']),
  case: new Set(['name', 'params', 'in', 'out', 'k', 'exact', 'bound']),
  operand: new Set(['n', 'dtype', 'fill', 'inout']),
};

/** A key nobody reads would be a test nobody runs. */
function onlyKnown(where: string, value: object, keys: ReadonlySet<string>): void {
  for (const key of Object.keys(value)) if (!keys.has(key)) throw new Error(`${where}: unknown key '${key}'`);
}

type OperandEntry = Partial<CaseOperand> & Pick<CaseOperand, 'n'>;

function operand(where: string, entry: OperandEntry | null): CaseOperand | null {
  if (entry === null) return null;
  onlyKnown(where, entry, known.operand);
  return { dtype: 'f32', fill: 'uniform', ...entry };
}

/** Every case table, by op. Throws where a file is malformed or two tables name one op. */
export function readCaseTables(): Map<string, OpCases> {
  const tables = new Map<string, OpCases>();
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === 'common') continue;
    const path = `${root}${entry.name}/${entry.name}.cases.json`;
    if (!existsSync(path)) continue; // its ops have no cases then, which the tests do not accept
    const file: { ops: OpCases[] } = JSON.parse(readFileSync(path, 'utf8'));
    for (const table of file.ops) {
      onlyKnown(`${path}: ${table.op}`, table, known.table);
      if (tables.has(table.op)) throw new Error(`${path}: ${table.op} already has cases`);
      const cases = table.cases.map((one) => {
        const where = `${path}: ${table.op} '${one.name}'`;
        onlyKnown(where, one, known.case);
        if (typeof one.exact !== 'boolean') throw new Error(`${where}: 'exact' must be true or false`);
        if ((one.bound ?? table.bound) === 'bilinear' && one.k === undefined) throw new Error(`${where}: needs 'k'`);
        return { ...one, in: one.in.map((o) => operand(where, o)), out: one.out.map((o) => operand(where, o)) };
      });
      tables.set(table.op, { ...table, cases });
    }
  }
  return tables;
}
