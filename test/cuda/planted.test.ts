// Errors planted in the text of a CUDA kernel are found by running it emulated: a barrier left out, copies that nobody waits for, a bound
// off by one, an access that is not aligned.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/package_root.js';

const root = packageRoot();
const tile = 'kernels/common/gemm_tile.cuh';

/** What the program says with `from` replaced by `to` in the tile's text, the last time it occurs. */
function runWith(from: string, to: string, capability = 80): string {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-planted-'));
  try {
    for (const path of ['kernels/common', 'kernels/sgemm', 'test/cuda_emulator', 'native/core/op.h'])
      cpSync(join(root, path), join(folder, path), { recursive: true });
    const text = readFileSync(join(root, tile), 'utf8');
    const at = text.lastIndexOf(from);
    assert.ok(at >= 0, `${tile} has no '${from}'`);
    writeFileSync(join(folder, tile), text.slice(0, at) + to + text.slice(at + from.length));
    const program = readFileSync(join(root, 'test/cuda/fixtures/planted.cpp'), 'utf8')
      .replace('KERNELS', join(folder, 'kernels'))
      .replace('EMULATOR', join(folder, 'test/cuda_emulator'));
    writeFileSync(join(folder, 'planted.cpp'), program);
    const compiler = process.env.CXX ?? 'c++';
    const sources = [join(folder, 'planted.cpp'), join(folder, 'test/cuda_emulator/emulator.cpp')];
    const flags = ['-std=c++20', '-O1', '-w', `-DANNEAL_CUDA_EMULATION=${capability}`, '-o', join(folder, 'planted')];
    execFileSync(compiler, [...flags, ...sources], { stdio: ['ignore', 'ignore', 'inherit'] });
    return execFileSync(join(folder, 'planted'), { encoding: 'utf8' }).trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const skip = process.platform === 'linux' ? false : 'the emulator runs on Linux';

test('the kernel as it is', { skip }, () => {
  assert.equal(runWith('__syncthreads();', '__syncthreads();'), 'right');
});

test('the kernel as it is without asynchronous copies, on 7.5', { skip }, () => {
  assert.equal(runWith('__syncthreads();', '__syncthreads();', 75), 'right');
});

test('a barrier left out', { skip }, () => {
  assert.match(runWith('__syncthreads();', ''), /^wrong: .* is -?nan/);
});

test('copies that are not waited for', { skip }, () => {
  assert.match(runWith('awaitCopies<0>();', 'awaitCopies<1>();'), /^(wrong: .* is -?nan|failed: .*nobody waited for)/);
});

test('a bound off by one', { skip }, () => {
  assert.match(
    runWith('there = k0 + k < kEnd', 'there = k0 + k <= kEnd'),
    /^failed: .*items \d+ to \d+ of an operand of \d+/,
  );
});

test('an index off by one', { skip }, () => {
  assert.match(runWith('as<float4>(k * LoadB::pitch', 'as<float4>(1 + k * LoadB::pitch'), /^failed: .*not aligned/);
});
