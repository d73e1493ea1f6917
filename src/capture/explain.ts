// What a plan does, for people: each op with its shapes, flops, bytes and place in memory, and the sums.
import { registry } from '../ops/registry.js';
import { formatShape } from '../tensor/shape.js';
import type { Plan } from './plan.js';
import type { RecordedOp, RecordedOperand } from './recording.js';

const UNITS = ['B', 'KB', 'MB', 'GB'];

/** 1536 as 1.54 KB: decimal units, three digits. */
function amount(value: number, units: readonly string[]): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? scaled : scaled.toPrecision(3)} ${units[unit]}`;
}

export const formatBytes = (bytes: number): string => amount(bytes, UNITS);
const formatFlops = (flops: number): string => amount(flops, ['', 'k', 'M', 'G', 'T']).trimEnd();

const operand = (each: RecordedOperand | null): string =>
  each === null ? '–' : `${each.dtype === 'f32' ? '' : `${each.dtype} `}${formatShape(each.shape)}`;

/** What the op must do at least, with f16 counted as the f32 that ops compute with. */
export function costOf({ op, params, inputs, outputs }: RecordedOp): {
  readonly flops: number;
  readonly bytes: number;
} {
  const bytes = (operands: readonly (RecordedOperand | null)[]) =>
    operands.map((each) => (each?.bytes ?? 0) * (each?.dtype === 'f16' ? 2 : 1));
  return registry[op].cost(params, { inputs: bytes(inputs), outputs: bytes(outputs) });
}

/** Columns side by side, each as wide as its widest cell. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function explainPlan(plan: Plan, inputs: string): string {
  const costs = plan.ops.map(costOf);
  const sum = (pick: (cost: { flops: number; bytes: number }) => number) =>
    costs.reduce((a, cost) => a + pick(cost), 0);
  const { arenaBytes, temporaryBytes, temporaries } = plan.memory;
  const rows = plan.ops.map((op, i) => [
    String(i),
    op.op,
    `${op.inputs.map(operand).join(' ')} -> ${op.outputs.map((each, k) => `${operand(each)}${plan.placeName(op, k)}`).join(' ')}`,
    formatFlops(costs[i]?.flops ?? 0),
    formatBytes(costs[i]?.bytes ?? 0),
    [op.live === null ? '' : 'live', op.fused ? `fused: ${op.fused.join(' + ')}` : ''].filter(Boolean).join(', '),
  ]);
  return [
    `plan for ${inputs}: ${plan.ops.length} ops, ${formatFlops(sum(({ flops }) => flops))} flops, ${formatBytes(sum(({ bytes }) => bytes))} moved`,
    columns([['', 'op', 'operands', 'flops', 'bytes', ''], ...rows]),
    `${temporaries} temporaries of ${formatBytes(temporaryBytes)} in an arena of ${formatBytes(arenaBytes)}`,
  ].join('\n');
}
