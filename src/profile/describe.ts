// An op in words: its name with the function it applies, and the shapes it works on, from its parameters alone.
import type { OpName } from '../backend/backend.js';
import { activations } from '../ops/activation.js';
import { binaryCodes, unaryCodes } from '../ops/elementwise/params.js';
import { randomKinds } from '../ops/random/random.js';
import { reduceCodes } from '../ops/reduce/reduce.js';
import { registry } from '../ops/registry.js';

type Values = Readonly<Record<string, number | readonly number[]>>;

export interface Description {
  /** `sgemm`, `binary add`. */
  readonly label: string;
  /** `[32,784] x [784,128]`, with the activation that a kernel applies to its result. */
  readonly shape: string;
}

const functions: Readonly<Partial<Record<OpName, { readonly field: string; readonly names: readonly string[] }>>> = {
  unary: { field: 'code', names: unaryCodes },
  binary: { field: 'code', names: binaryCodes },
  reduce: { field: 'code', names: reduceCodes },
  random: { field: 'kind', names: randomKinds },
};

export function describe(op: OpName, params: Uint8Array): Description {
  const values: Values = registry[op].params.decode(params);
  const named = functions[op];
  const name = named?.names[number(values, named.field)];
  return { label: name === undefined ? op : `${op} ${name}`, shape: shapeOf(values) + epilogueOf(values) };
}

function number(values: Values, name: string): number {
  const value = values[name];
  return typeof value === 'number' ? value : 0;
}

function epilogueOf(values: Values): string {
  const activation = activations[number(values, 'activation')] ?? 'none';
  return activation === 'none' ? '' : ` ${activation}`;
}

/** By the parameters there are: structs of one family name their sizes alike. */
function shapeOf(values: Values): string {
  const has = (...names: readonly string[]): boolean => names.every((name) => name in values);
  const list = (...names: readonly string[]): string => `[${names.map((name) => number(values, name)).join(',')}]`;
  const { dims } = values;
  if (typeof dims === 'object') return `[${dims.slice(0, number(values, 'rank')).join(',')}]`;
  if (has('batch', 'm', 'n', 'k')) {
    const batch = number(values, 'batch');
    // As they are stored; ' for one that is used transposed.
    const a = number(values, 'transA') ? `${list('k', 'm')}'` : list('m', 'k');
    const b = number(values, 'transB') ? `${list('n', 'k')}'` : list('k', 'n');
    return `${batch === 1 ? '' : `${batch} x `}${a} x ${b}`;
  }
  if (has('n', 'h', 'w', 'c', 'kh', 'kw')) {
    const stride =
      number(values, 'strideH') === 1 && number(values, 'strideW') === 1 ? '' : ` / ${list('strideH', 'strideW')}`;
    return `${list('n', 'h', 'w', 'c')} * ${filterOf(values, list)}${stride}`;
  }
  if (has('rows', 'width', 'count')) return `${list('rows', 'width')} at ${list('count')}`;
  if (has('rows')) return list('rows', ['cols', 'classes', 'channels'].find((name) => has(name)) ?? 'rows');
  return list(has('count') ? 'count' : 'n');
}

/** A convolution's weights, or a pool's window. */
function filterOf(values: Values, list: (...names: readonly string[]) => string): string {
  const [kh, kw, c] = [number(values, 'kh'), number(values, 'kw'), number(values, 'c')];
  if ('oc' in values) return `[${kh},${kw},${c / number(values, 'groups')},${number(values, 'oc')}]`;
  return 'm' in values ? list('kh', 'kw', 'c', 'm') : list('kh', 'kw');
}
