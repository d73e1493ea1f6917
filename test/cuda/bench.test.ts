// `anneal bench` on a CUDA device, emulated: rows, limits by the device's clocks, and the warning that they mean nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { lanesOf, memoryGBps, peakGflops } from '../../src/bench/cuda_limits.js';
import { compareToLimit } from '../../src/bench/measure.js';
import { parseReport } from '../../src/bench/report.js';
import { runChild } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';

const { env, missing } = emulatedCuda();
const folder = mkdtempSync(join(tmpdir(), 'anneal-cuda-bench-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the limits of known devices', () => {
  // A100 40 GB and H100 SXM, by their data sheets: 19.5 and 67 TFLOP/s, 1555 and 3352 GB/s.
  const a100 = {
    name: '',
    computeCapability: 80,
    multiprocessors: 108,
    memoryBytes: 0,
    clockKilohertz: 1_410_000,
    memoryClockKilohertz: 1_215_000,
    memoryBusBits: 5120,
    driver: 0,
    emulated: false,
  };
  const h100 = {
    ...a100,
    computeCapability: 90,
    multiprocessors: 132,
    clockKilohertz: 1_980_000,
    memoryClockKilohertz: 2_619_000,
  };
  assert.deepEqual([Math.round(peakGflops(a100)), Math.round(memoryGBps(a100))], [19492, 1555]);
  assert.deepEqual([Math.round(peakGflops(h100)), Math.round(memoryGBps(h100))], [66908, 3352]);
  assert.deepEqual([75, 80, 86, 89, 90, 100, 120].map(lanesOf), [64, 64, 128, 128, 128, 128, 128]);
});

test('a time below what memory allows is no failure where caches are not known, one below the peak is', () => {
  const caches = { l1: 0, l2: 0, l3: 0 };
  const rates = [{ fma: 1000, triad: 100, read: 100, l1: 100, l2: 100, l3: 100 }];
  const kernel = { flops: 1e9, products: 1e9, leastProducts: 1e9, bytes: 1e9, written: 5e8, workingSet: 1e9 };
  const above = (seconds: number, unbeatable: 'compute' | 'none') =>
    compareToLimit([kernel], seconds, rates, { cold: false, threads: 1, caches, unbeatable }).aboveLimit;
  assert.equal(above(0.002, 'compute'), false);
  assert.equal(above(0.0009, 'compute'), true);
  assert.equal(above(0.0009, 'none'), false);
});

test('a small run in tf32, emulated', { skip: env === null ? missing : false }, async () => {
  const json = join(folder, 'run.json');
  const args = 'bench --device cuda --precision tf32 --only sgemm_nn_64,op_overhead_add1$ --budget 5 --json'.split(' ');
  const { code, stdout, stderr } = await runChild('src/cli/main.ts', [...args, json], { env: { ...env } });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^EMULATED: .* mean nothing\.$/m);
  assert.match(stdout, /^EMULATED: .* mean nothing\.$/m);
  assert.match(stdout, /^Products in tf32; /m);
  assert.match(stdout, /^by the device's clocks: FP32 peak 1024 GFLOP\/s .*, memory 16 GB\/s /m);
  assert.match(stdout, /^sgemm_nn_64 +kernel warm /m);
  const { machine, limits, results } = parseReport(readFileSync(json, 'utf8'));
  assert.deepEqual([machine.emulated, machine.precision, limits.fmaGflopsAll], [true, 'tf32', 1024]);
  assert.ok(results.length >= 4 && results.every(({ device }) => device === 'cuda:0'));
});

/** What the run says of cuBLAS, and the times beside our products. */
async function besideCublas(more: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const json = join(folder, 'cublas.json');
  const library = join(dirname(env?.ANNEAL_CUDA_LIBRARY ?? ''), 'libanneal_emulated_cublas.so');
  const asked = ['--peers', 'cublas', '--only', 'sgemm_nn_64$,sgemm_tn_64$,op_overhead_add1$', '--budget', '5'];
  const { code, stderr } = await runChild('src/cli/main.ts', ['bench', ...asked, '--json', json, ...args], {
    env: { ...env, ANNEAL_CUBLAS_LIBRARY: library, XDG_CACHE_HOME: folder, ...more },
  });
  assert.equal(code, 0, stderr);
  const { machine, results } = parseReport(readFileSync(json, 'utf8'));
  const times = results.flatMap(({ work, peers }) => (peers.cublas ? [[work, peers.cublas.msMedian] as const] : []));
  return { said: machine.peers.cublas ?? '', times: new Map(times) };
}

test('cuBLAS beside ours: a stand-in that multiplies by a plain loop, emulated', {
  skip: env === null ? missing : false,
}, async () => {
  for (const precision of ['f32', 'tf32']) {
    const { said, times } = await besideCublas({}, '--device', 'cuda', '--precision', precision);
    assert.match(said, new RegExp(`^13\\.1\\.2, emulated: .*, products in ${precision}, timed on the device$`));
    assert.deepEqual([...times.keys()].sort(), ['sgemm_nn_64', 'sgemm_tn_64'], 'nothing but products');
    assert.ok([...times.values()].every((ms) => ms > 0));
  }
});

test('cuBLAS that is wrong, absent or without a device is not measured, and why', {
  skip: env === null ? missing : false,
}, async () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ['cuda', { ANNEAL_EMULATED_CUBLAS_WRONG: '1' }, /multiplies wrongly: 1 elements of a product of 33, 65, 129/],
    ['cuda', { ANNEAL_CUBLAS_LIBRARY: '/nowhere/libcublas.so' }, /no \/nowhere\/libcublas\.so on this machine/],
    ['cpu', {}, /runs on CUDA devices: --device cuda/],
  ];
  for (const [device, more, expected] of cases) {
    const { said, times } = await besideCublas(more, '--device', device);
    assert.match(said, /^not measured: /);
    assert.match(said, expected);
    assert.equal(times.size, 0);
  }
});
