// What ptxas made of the CUDA kernels, held against what they were written for; and the reader of cubins against a kernel that was counted.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Counts, occupancy, readCubin } from '../../bench/cuda/cubin.js';
import { cubinsOfBuild } from '../../bench/cuda/cubins.js';
import { packageRoot } from '../../src/package_root.js';

function nvcc(): string | null {
  for (const name of ['nvcc', '/usr/local/cuda/bin/nvcc']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // The next one.
    }
  }
  return null;
}

const compiler = nvcc();
const files = cubinsOfBuild();
const noCubins =
  files.length === 0 ? 'the build made no cubins: nvcc was not found, or ANNEAL_CUDA_ARCHS is none' : false;

test('the reader finds what a known kernel has', { skip: compiler === null ? 'needs nvcc' : false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-cubin-'));
  try {
    for (const capability of [75, 80, 86, 89, 90, 100, 120]) {
      const out = join(folder, `known.${capability}.cubin`);
      const source = join(packageRoot(), 'test/cuda/fixtures/known.cu');
      execFileSync(compiler ?? '', ['-cubin', `-arch=sm_${capability}`, '-O3', '-o', out, source]);
      const [kernel, ...others] = readCubin(readFileSync(out), capability);
      assert.ok(kernel);
      assert.equal(others.length, 0);
      assert.equal(kernel.name, 'known');
      assert.equal(kernel.maxThreads, 64);
      assert.ok(kernel.sharedBytes >= 1024 && kernel.sharedBytes <= 2048);
      assert.ok(kernel.registers >= 10 && kernel.registers <= 32);
      const { FFMA, HMMA = 0, ...counts } = kernel.counts;
      assert.deepEqual(
        [FFMA, HMMA, counts['LDS.128'], counts['STS.128'], counts['LDG.128'], counts['STG.128']],
        [4, 0, 1, 1, 1, 1],
      );
      assert.deepEqual(
        [kernel.mainLoop?.FFMA, kernel.mainLoop?.['LDS.128'], kernel.mainLoop?.['STG.128']],
        [4, 1, undefined],
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('occupancy as the programming guide counts it', () => {
  const block = { threads: 256, sharedBytes: 0 };
  assert.equal(occupancy(80, { ...block, registers: 32 }), 1);
  assert.equal(occupancy(80, { ...block, registers: 128 }), 0.25);
  assert.equal(occupancy(75, { ...block, registers: 64 }), 1);
  assert.equal(occupancy(86, { ...block, registers: 40 }), 1);
  assert.equal(occupancy(90, { ...block, registers: 32, sharedBytes: 100 << 10 }), 0.25);
});

/** `check(counts, kernel)` for every kernel whose 'file/name' the pattern matches, on every compute capability. */
function each(pattern: RegExp, check: (loop: Counts, whole: Counts, what: string, capability: number) => void): void {
  let found = 0;
  for (const { file, capability, kernels } of files)
    for (const { name, counts, mainLoop } of kernels) {
      if (!pattern.test(`${file}/${name}`)) continue;
      found++;
      check(mainLoop ?? {}, counts, `${file}/${name} on ${capability}`, capability);
    }
  assert.ok(found > 0, `no kernel is called ${pattern}`);
}

test('no kernel spills a register', { skip: noCubins }, () => {
  // The reduction of large arguments of sin and cos keeps an array in local memory.
  each(/^(?!elementwise\/unary|elementwise_chain\/)/, (_, whole, what) => {
    const local = Object.keys(whole).filter((kind) => /^(LDL|STL)/.test(kind));
    assert.deepEqual(local, [], what);
  });
});

test('the tiles do at least 16 FMAs for each 16 bytes of shared memory they read', { skip: noCubins }, () => {
  each(/^(sgemm|conv2d)\/.*_(medium|large)$/, ({ FFMA = 0, ...loop }, _, what) => {
    const reads = loop['LDS.128'] ?? 0;
    assert.ok(reads > 0 && FFMA >= 16 * reads, `${what}: ${FFMA} FFMA, ${reads} LDS.128`);
    for (const kind of ['LDS.64', 'LDG.32', 'LDG.64'])
      assert.equal(loop[kind] ?? 0, 0, `${what}: ${kind} in the main loop`);
  });
});

test('tiles and optimizers go to memory 16 bytes at a time', { skip: noCubins }, () => {
  each(/^(sgemm|conv2d)\/.*_(small|medium|large)$/, (_, whole, what, capability) => {
    const copies = capability >= 80 ? (whole.LDGSTS ?? 0) : 0;
    assert.ok(copies + (whole['LDG.128'] ?? 0) > 0, what);
    assert.ok((whole['STG.128'] ?? 0) > 0, what);
  });
  each(/^(sgd_momentum_ema|adam|rmsprop)\//, (_, whole, what) => {
    if (!/_update4? on/.test(what)) return; // the others take what is not aligned, or add up statistics
    assert.ok((whole['LDG.128'] ?? 0) > 0 && (whole['STG.128'] ?? 0) > 0, what);
  });
});

test('matrix units are used where they were asked for, fed by asynchronous copies', { skip: noCubins }, () => {
  each(/_tensor\//, (loop, _, what) => {
    assert.ok((loop.HMMA ?? 0) >= 16, `${what}: ${loop.HMMA} HMMA`);
    assert.ok((loop.LDGSTS ?? 0) > 0, what);
    assert.equal(loop.FFMA ?? 0, 0, what);
  });
});
