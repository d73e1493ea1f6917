// The command on CUDA devices, emulated; and what it says where there is no driver.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { cudaDetail } from '../../src/backend/cuda.js';
import { latestCheckpoint } from '../../src/train/index.js';
import { runChild } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';
import { raw } from '../support/raw.js';

const { env, missing } = emulatedCuda();
const skip = env === null ? missing : false;
const folder = mkdtempSync(join(tmpdir(), 'anneal-cuda-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const anneal = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
  runChild('src/cli/main.ts', args, { env: { ...env, ...more } });
const noDriver = { ANNEAL_CUDA_LIBRARY: join(folder, 'libcuda.so.1') };

test('doctor lists every CUDA device, emulated', { skip }, async () => {
  const { code, stdout } = await anneal(['doctor'], { ANNEAL_CUDA_EMULATOR_CC: '75' });
  assert.equal(code, 0);
  for (const i of [0, 1])
    assert.match(
      stdout,
      new RegExp(`^cuda:${i} +ok +emulated: .*compute capability 7\\.5, 4 GiB, driver for CUDA \\d+\\.\\d+, `, 'm'),
    );
});

test('without a driver doctor and quickstart say so, and what mends it', async () => {
  const { code, stdout } = await anneal(['doctor'], noDriver);
  assert.equal(code, 0, 'the CPU is there');
  assert.match(stdout, /^cuda +missing .*ANNEAL_CUDA_LIBRARY cannot be opened: /m);
  const refused = await anneal(['quickstart', '--device', 'cuda'], noDriver);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^E_DEVICE .*ANNEAL_CUDA_LIBRARY cannot be opened/m);
  assert.doesNotMatch(refused.stderr, /\n\s+at /, 'no stack trace');
});

test('without a driver of the machine doctor says what to install', async (t) => {
  const { stdout } = await anneal(['doctor'], { ANNEAL_CUDA_LIBRARY: '' });
  if (/^cuda:0/m.test(stdout)) return t.skip('this machine has a GPU');
  assert.match(stdout, /^cuda +missing .*(install the driver|install a newer one|finds no GPU|ANNEAL_CUDA_ARCHS)/m);
});

test('a device that is not there is refused, and so is a precision elsewhere', { skip }, async () => {
  const far = await anneal(['quickstart', '--device', 'cuda:9']);
  assert.equal(far.code, 1);
  assert.match(far.stderr, /E_DEVICE .*below 2, received cuda:9/);
  const cpu = await anneal(['bench', '--device', 'cpu', '--precision', 'tf32']);
  assert.equal(cpu.code, 1);
  assert.match(cpu.stderr, /E_ARGUMENT .*--device cuda/);
});

test('the quickstart of a perceptron on a few images, emulated', { skip }, async () => {
  const out = join(folder, 'run');
  const { code, stdout, stderr } = await anneal(
    'quickstart --device cuda:1 --net mlp --images 512 --epochs 2 --batch-size 32 --out'.split(' ').concat(out),
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Device cuda:1: emulated: /m);
  const [, accuracy] = /Best: test accuracy (\d+\.\d+)%/.exec(stdout) ?? [];
  assert.ok(Number(accuracy) > 40, `${accuracy}% after 32 steps`);
  const { checkpoint } = await latestCheckpoint(out);
  assert.ok(checkpoint);
  const { tensors, state } = checkpoint;
  assert.deepEqual([state.step, state.epoch], [32, 2]);
  for (const { data } of Object.values(tensors)) assert.ok(data.every(Number.isFinite));
  assert.match(readFileSync(join(out, 'report.html'), 'utf8'), /emulated: emulated GPU 1/);
});

test('a script compared on the CPU and CUDA, emulated', { skip }, async () => {
  const { code, stdout, stderr } = await anneal(
    ['compare', '--devices', 'cpu,cuda', '--ops', '40', 'test/compare/fixtures/step.ts'],
    { NODE_OPTIONS: '--import tsx' },
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\d+ ops agree on cpu and cuda$/m);
});

const noKernels =
  /this build has no CUDA kernels: nvcc was not found .* install the CUDA toolkit and run "npm rebuild anneal"/;

test('a build without nvcc says so where there is a GPU', async () => {
  const found = { count: 1, reason: '', emulated: false, toolkit: 0, nvtx: false };
  const { count, detail } = cudaDetail(found);
  assert.equal(count, 0);
  assert.match(detail, noKernels);
  assert.deepEqual(cudaDetail({ ...found, toolkit: 13000 }), { count: 1, detail: '1 device' });
  assert.equal(
    cudaDetail({ ...found, count: 0, reason: 'the NVIDIA driver finds no GPU' }).detail,
    'the NVIDIA driver finds no GPU',
  );
});

test('doctor says that a driver is too old, or what this build lacks for a new one', { skip }, async () => {
  const { toolkit } = raw.cudaDevices();
  const hidden = { ANNEAL_CUDA_EMULATOR_HIDDEN: '1', ANNEAL_CUDA_EMULATOR_VERSION: '11040' };
  const { code, stdout } = await anneal(['doctor'], hidden);
  assert.equal(code, 0);
  const version = `${Math.floor(toolkit / 1000)}\\.${(toolkit % 1000) / 10}`;
  if (toolkit === 0) assert.match(stdout, new RegExp(`^cuda +missing +${noKernels.source}`, 'm'));
  else {
    const old = `the NVIDIA driver is too old: it is for CUDA 11\\.4, the kernels were built with ${version}: install a newer one`;
    for (const i of [0, 1]) assert.match(stdout, new RegExp(`^cuda:${i} +missing +.*${old}`, 'm'));
  }
});

test('a library that lacks calls is called a driver that is too old', { skip }, async () => {
  const other = join(dirname(env?.ANNEAL_CUDA_LIBRARY ?? ''), 'libanneal_emulated_cublas.so');
  const { stdout } = await anneal(['doctor'], { ANNEAL_CUDA_LIBRARY: other });
  assert.match(
    stdout,
    /^cuda +missing +.*the NVIDIA driver is too old \(.*libanneal_emulated_cublas\.so has no cuInit\): install a newer one/m,
  );
});
