// Flops count one an item for arithmetic; transcendental functions count what their vector bodies do, about 20.
import type { Cost } from '../cost.js';
import { type BinaryName, binaryCodes, type UnaryName, unaryCodes } from './params.js';

const TRANSCENDENTAL = 20;
const transcendental: ReadonlySet<UnaryName | BinaryName> = new Set([
  'exp',
  'expm1',
  'log',
  'log1p',
  'sin',
  'cos',
  'tanh',
  'sigmoid',
  'elu',
  'gelu',
  'gelu_tanh',
  'silu',
  'softplus',
  'pow_scalar',
  'erf',
  'pow',
  'elu_grad',
  'gelu_grad',
  'gelu_tanh_grad',
  'silu_grad',
  'softplus_grad',
]);

/** Of one item. */
export function flopsOf(name: UnaryName | BinaryName | undefined): number {
  return name !== undefined && transcendental.has(name) ? TRANSCENDENTAL : 1;
}

/** x read, out written. */
export function unaryCost({ code, count }: { code: number; count: number }): Cost {
  return { flops: count * flopsOf(unaryCodes[code]), bytes: 8 * count };
}

/** Operands read once each, however they are stretched. */
export function binaryCost({
  code,
  count,
  aCount,
  bCount,
}: {
  code: number;
  count: number;
  aCount: number;
  bCount: number;
}): Cost {
  return { flops: count * flopsOf(binaryCodes[code]), bytes: 4 * (count + aCount + bCount) };
}

export function castCost({ count, fromBytes, toBytes }: { count: number; fromBytes: number; toBytes: number }): Cost {
  return { flops: 2 * count, bytes: count * (fromBytes + toBytes) };
}
