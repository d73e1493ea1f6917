// `npm run bench:memory`: the most memory a training step holds, op by op and captured, beside PyTorch's, each in a process of its
// own. Bytes of tensors (weights, gradients, momentum, inputs and all between), by each side's own count.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../../src/capture/explain.js';

const BATCH = 128;
const DEEP_BATCH = 1024;
const threads = cpus().length;

interface Told {
  readonly missing?: string;
  readonly peakBytes: number;
  readonly withRecording?: number;
  readonly arenaBytes?: number | null;
  readonly temporaryBytes?: number | null;
  readonly residentGrowth: number;
}

function ask(command: string, args: readonly string[]): Told {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (name.startsWith('OPENBLAS_')) delete env[name];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env });
  if (status !== 0)
    return { missing: stderr.trim().split('\n').at(-1) ?? `exit ${status}`, peakBytes: 0, residentGrowth: 0 };
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const python = process.env.ANNEAL_PYTHON ?? (existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3');
const ours = (net: string, batch: number, way: string): Told =>
  ask(process.execPath, ['--import', 'tsx', here('anneal.ts'), String(batch), String(threads), net, way]);
const torch = (layout: string): Told => ask(python, [here('pytorch.py'), String(BATCH), String(threads), layout]);

console.log(`The most bytes of tensors in a training step, ${threads} threads.\n`);
const captured = ours('cnn', BATCH, 'captured');
const rows: [string, Told][] = [
  [`CNN, batch ${BATCH}, captured`, captured],
  [`CNN, batch ${BATCH}, op by op`, ours('cnn', BATCH, 'eager')],
  [`CNN, batch ${BATCH}, PyTorch, NCHW`, torch('nchw')],
  [`CNN, batch ${BATCH}, PyTorch, NHWC`, torch('nhwc')],
  [`24 dense blocks, batch ${DEEP_BATCH}, captured`, ours('deep', DEEP_BATCH, 'captured')],
  [`the same with a checkpoint each, captured`, ours('checkpoints', DEEP_BATCH, 'captured')],
  [`the same with a checkpoint each, op by op`, ours('checkpoints', DEEP_BATCH, 'eager')],
  [`24 dense blocks, batch ${DEEP_BATCH}, op by op`, ours('deep', DEEP_BATCH, 'eager')],
];
const size = (bytes: number | null | undefined): string => (bytes ? formatBytes(bytes) : '–');
const table = [
  ['', 'peak', 'with the first step', 'arena', 'its temporaries', 'resident memory grew by'],
  ...rows.map(([name, told]) =>
    told.missing === undefined
      ? [
          name,
          size(told.peakBytes),
          size(told.withRecording),
          size(told.arenaBytes),
          size(told.temporaryBytes),
          size(told.residentGrowth),
        ]
      : [name, `not measured: ${told.missing}`, '', '', '', ''],
  ),
];
const widths = (table[0] ?? []).map((_, i) =>
  Math.max(...table.map((row) => (row[1]?.startsWith('not') && i > 0 ? 0 : (row[i] ?? '').length))),
);
for (const row of table)
  console.log(
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );

const least = Math.min(
  ...rows.flatMap(([name, { peakBytes, missing }]) => (/PyTorch/.test(name) && missing === undefined ? peakBytes : [])),
);
if (Number.isFinite(least))
  console.log(
    `\nA captured step holds ${(captured.peakBytes / least).toFixed(2)} of what PyTorch's does in its better layout.`,
  );
