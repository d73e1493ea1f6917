// The command in a process of its own: what it refuses, what `doctor` says, and Ctrl-C.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cpuInfo } from '../../src/backend/device.js';
import { readSafetensors } from '../../src/io/index.js';
import { latestCheckpoint } from '../../src/train/index.js';
import { type ChildOptions, root, runChild } from '../support/child.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const anneal = (args: readonly string[], options?: ChildOptions) => runChild('src/cli/main.ts', args, options);

const refusals: readonly [string, readonly string[], RegExp][] = [
  ['an epoch count that is no number', ['--epochs', 'many'], /--epochs.*'many'.*integer of at least 1/],
  ['no epochs', ['--epochs', '0'], /--epochs.*at least 1/],
  ['part of an epoch', ['--epochs', '1.5'], /--epochs/],
  ['an empty seed', ['--seed', ''], /--seed.*at least 0/],
  ['a negative batch size', ['--batch-size', '-3'], /--batch-size/],
  ['a seed beyond 2^53', ['--seed', '9007199254740993'], /--seed/],
  ['a device there is none of', ['--device', 'abacus'], /--device.*'abacus'.*auto, cpu/],
  ['too many threads', ['--threads', '5000'], /E_ARGUMENT.*1024.*5000/],
  ['an option there is none of', ['--epoch', '3'], /unknown option '--epoch'/],
];

for (const [name, args, message] of refusals) {
  test(`quickstart refuses ${name}`, async () => {
    const out = join(folder, 'refused');
    const { code, stderr } = await anneal(['quickstart', '--out', out, ...args]);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace');
    assert.equal(existsSync(out), false);
  });
}

test('an unknown command is refused; help and version are not', async () => {
  const unknown = await anneal(['trian']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /unknown command 'trian'/);
  const help = await anneal(['quickstart', '--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--epochs <count>/);
  const version = await anneal(['--version']);
  const { version: expected }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.deepEqual([version.code, version.stdout.trim()], [0, expected]);
});

test('doctor names the device and its kernels', async () => {
  const { code, stdout } = await anneal(['doctor']);
  assert.equal(code, 0);
  const { isa, threads, compiled } = cpuInfo();
  assert.match(stdout, new RegExp(`^cpu +ok +${isa} kernels, \\d+ threads$`, 'm'));
  assert.match(stdout, new RegExp(`^kernels +${isa}, ${threads} threads; built: ${compiled.join(', ')};`, 'm'));
  assert.match(stdout, /^anneal +\d+\.\d+\.\d+, Node\.js v\d+/m);
  assert.match(stdout, /^addon +\S+anneal\.node, (built by (cmake|node-gyp)|prebuilt)/m);
  assert.match(stdout, /^optional +webgpu \d\S+, /m);
});

test('Ctrl-C ends the quickstart with 130, a checkpoint that loads and a report', async () => {
  const out = join(folder, 'interrupted');
  let sent = false;
  const { code, signal, stdout, stderr } = await anneal(
    ['quickstart', '--batch-size', '16', '--seed', '7', '--out', out],
    {
      onOutput(child, output) {
        if (sent || !/epoch/.test(output.stderr)) return;
        sent = true;
        child.kill('SIGINT');
      },
    },
  );
  assert.deepEqual({ code, signal }, { code: 130, signal: null }, stderr);
  assert.match(stdout, /Interrupted after \d+ steps/);

  assert.match(stdout, /^Checkpoints .*interrupted\/checkpoints$/m);
  const { checkpoint } = await latestCheckpoint(out);
  assert.ok(checkpoint);
  const { state } = checkpoint;
  const tensors = Object.entries(checkpoint.tensors).filter(([name]) => name.startsWith('model/'));
  assert.deepEqual(
    tensors.map(([name, { shape }]) => [name.slice('model/'.length), [...shape]]),
    [
      ['conv2d1.weight', [5, 5, 1, 32]],
      ['conv2d1.bias', [32]],
      ['conv2d2.weight', [5, 5, 32, 64]],
      ['conv2d2.bias', [64]],
      ['dense1.weight', [3136, 256]],
      ['dense1.bias', [256]],
      ['dense2.weight', [256, 10]],
      ['dense2.bias', [10]],
    ],
  );
  for (const [, { data }] of tensors) assert.ok(data.every(Number.isFinite));
  assert.ok(state.step >= 1, `${state.step} steps`);
  assert.deepEqual([state.epoch, state.seed, state.history], [0, 7, []]);
  assert.equal(existsSync(join(out, 'model.safetensors')), false);

  const report = readFileSync(join(out, 'report.html'), 'utf8');
  assert.match(report, /^<!doctype html>/i);
  assert.match(report, /MNIST quickstart/);
});

test('a whole quickstart tells where everything of it lies', async () => {
  const out = join(folder, 'whole');
  const args = ['--net', 'mlp', '--images', '512', '--batch-size', '32', '--epochs', '2', '--out', out];
  const { code, stdout, stderr } = await anneal(['quickstart', ...args]);
  assert.equal(code, 0, stderr);
  const [, accuracy, epoch] =
    /^Best: test accuracy (\d+\.\d+)% with averaged weights after epoch (\d): those are saved\.$/m.exec(stdout) ?? [];
  assert.ok(Number(accuracy) > 20, stdout);
  const lines = [...stdout.matchAll(/^(Weights|Checkpoints|Report|Log) +([^,\n]+)/gm)];
  assert.deepEqual(
    lines.map(([, what]) => what),
    ['Weights', 'Checkpoints', 'Report', 'Log'],
  );
  for (const [, , path] of lines) assert.ok(path !== undefined && existsSync(path), path);
  // The average at the end of that epoch is in a checkpoint, too.
  const { checkpoint } = await latestCheckpoint(out);
  assert.deepEqual([checkpoint?.state.step, checkpoint?.state.epoch, checkpoint?.state.seed], [32, 2, 1]);
  const { tensors } = await readSafetensors(join(out, 'model.safetensors'));
  const best = checkpoint?.tensors['callback/earlyStopping/dense1.weight'];
  assert.ok(best && epoch !== undefined);
  assert.deepEqual(tensors['dense1.weight']?.data, best.data);
});
