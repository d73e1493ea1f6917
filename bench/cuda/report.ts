// npm run cuda:report [-- words]: what ptxas made of each CUDA kernel on each compute capability, from the cubins of the build. With words,
// the files whose names contain one of them.

import { type Counts, occupancy } from './cubin.js';
import { cubinsOfBuild, dynamicSharedBytes } from './cubins.js';

const words = process.argv.slice(2);
const files = cubinsOfBuild().filter(({ file }) => words.length === 0 || words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.log('no cubins: nvcc makes them with the addon (npm run build:addon); without nvcc there are none');
  process.exit(1);
}

const kinds = [
  'FFMA',
  'HMMA',
  'LDS.128',
  'LDS.64',
  'LDS.32',
  'STS.128',
  'STS.32',
  'LDG.128',
  'LDG.32',
  'STG.128',
  'STG.32',
  'LDGSTS',
];
const head = ['kernel', 'sm', 'regs', 'local', 'shared', 'occup.', ...kinds, 'main loop'];
const rows = [head];
for (const { file, capability, kernels } of files) {
  for (const kernel of kernels) {
    const { counts, mainLoop } = kernel;
    const sharedBytes = kernel.sharedBytes + dynamicSharedBytes(file, kernel.name);
    const share = occupancy(capability, { ...kernel, sharedBytes, threads: kernel.maxThreads || 256 });
    const local = Object.entries(counts).reduce((sum, [kind, count]) => sum + (/^(LDL|STL)/.test(kind) ? count : 0), 0);
    rows.push([
      `${file}/${kernel.name}`,
      String(capability),
      String(kernel.registers),
      String(local),
      String(sharedBytes),
      `${Math.round(100 * share)}%`,
      ...kinds.map((kind) => String(counts[kind] ?? 0)),
      loopText(mainLoop),
    ]);
  }
}

function loopText(counts: Counts | null): string {
  if (counts === null) return '';
  const share = (((counts.FFMA ?? 0) + (counts.HMMA ?? 0)) / (counts.all ?? 1)) * 100;
  const list = kinds.filter((kind) => (counts[kind] ?? 0) > 0).map((kind) => `${counts[kind]} ${kind}`);
  return `${list.join(', ')} of ${counts.all} (${share.toFixed(0)}%)`;
}

const columns = head.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
for (const row of rows)
  console.log(
    row
      .map((cell, i) =>
        i === 0 || i === row.length - 1 ? cell.padEnd(columns[i] ?? 0) : cell.padStart(columns[i] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
console.log(
  '\nlocal: instructions on local memory, which are spills. shared: bytes a block. occup.: threads of a multiprocessor that its blocks can fill, at the block size of the launch bounds (256 where there are none). Instructions of the whole kernel, then of its innermost loop of arithmetic.',
);
