// `anneal profile` in a process of its own, with a script that trains a small net. No time is asserted.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Trace } from '../../src/profile/index.js';
import { type ChildOptions, runChild } from '../support/child.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-profile-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SCRIPT = 'test/cli/fixtures/training.ts';
const STEPS = 6;

const profile = (args: readonly string[], options?: ChildOptions) =>
  runChild('src/cli/main.ts', ['profile', ...args], options);
const traceIn = (path: string): Trace => JSON.parse(readFileSync(path, 'utf8'));

test('writes a trace and prints a table; options after the script are the script’s', async () => {
  const out = join(folder, 'trace.json');
  const { code, stdout, stderr } = await profile(['--out', out, '--by', 'shape', SCRIPT, '--out', 'theirs']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^arguments --out theirs\n/);
  assert.match(stdout, /\ncpu: \w+ kernels, \d+ threads; /);
  assert.match(stdout, /\nop +calls +total ms +mean us +share +GFLOP\/s +GB\/s +of limit\n/);
  assert.match(stdout, new RegExp(`\\nsgd_momentum_ema \\[\\d+\\] +${STEPS} .*%\\n`));
  assert.match(stdout, /\nsgemm \[32,2\] x \[2,16\] relu +6 .*%\n/);
  assert.match(stdout, /\nTrace .*trace\.json/);
  const { traceEvents, otherData } = traceIn(out);
  assert.equal(otherData['dropped events'], 0);
  const named = (name: string) => traceEvents.filter((event) => event.name === name);
  assert.equal(named('sgd_momentum_ema').filter(({ cat }) => cat === 'op').length, STEPS);
  assert.equal(named('step').length, STEPS);
  // Steps after the first few are replayed.
  for (const span of ['forward', 'backward', 'optimizer']) assert.ok(named(span).length >= 1);
});

test('tells what was dropped, and leaves limits out', async () => {
  const out = join(folder, 'few.json');
  const { code, stdout } = await profile(['--out', out, '--events', '10', '--no-limits', SCRIPT]);
  assert.equal(code, 0);
  assert.match(stdout, /\n[\d,]+ events were dropped/);
  assert.equal(traceIn(out).traceEvents.filter(({ cat }) => cat === 'op').length, 10);
  assert.doesNotMatch(readFileSync(out, 'utf8'), /share of limit/);
});

for (const [what, args, expected] of [
  ['throws', ['throw'], 1],
  ['ends by process.exit', ['exit', '7'], 7],
] as const) {
  test(`a script that ${what} is told of, and its exit code kept`, async () => {
    const out = join(folder, `${args[0]}.json`);
    const { code, stdout } = await profile(['--out', out, '--no-limits', SCRIPT, ...args]);
    assert.equal(code, expected);
    assert.match(stdout, /\nsgemm /);
    assert.ok(traceIn(out).traceEvents.length > 0);
  });
}

test('Ctrl-C ends the script and tells what is there', async () => {
  const out = join(folder, 'interrupted.json');
  let sent = false;
  const { code, stdout } = await profile(['--out', out, '--no-limits', SCRIPT, 'forever'], {
    group: true,
    onOutput: ({ pid }, output) => {
      if (sent || pid === undefined || !output.stdout.includes('arguments forever')) return;
      sent = true;
      process.kill(-pid, 'SIGINT'); // as a terminal does: to the command and to the script
    },
  });
  assert.equal(code, 130);
  assert.match(stdout, /\nsgemm /);
  assert.ok(existsSync(out));
});

test('refuses what cannot be run, and says so when there is nothing to tell', async () => {
  const absent = await profile([join(folder, 'absent.mjs')]);
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /^E_IO profile: expected a script, found no file .*absent\.mjs\n$/);
  const many = await profile(['--events', '99999999999', SCRIPT]);
  assert.equal(many.code, 1);
  assert.match(
    many.stderr,
    /^E_ARGUMENT profile: expected events to be an integer in \[1, \d+\], received 99999999999\n$/,
  );
  const without = join(folder, 'without.mjs');
  writeFileSync(without, 'console.log("nothing");\n');
  const idle = await profile(['--out', join(folder, 'nothing.json'), without]);
  assert.equal(idle.code, 1);
  assert.match(idle.stderr, /profile: .*without\.mjs ended without anything to tell/);
  assert.ok(!existsSync(join(folder, 'nothing.json')));
  const noFolder = await profile(['--out', join(folder, 'no', 'folder.json'), '--no-limits', SCRIPT]);
  assert.equal(noFolder.code, 1);
  assert.match(noFolder.stderr, /E_IO .*folder\.json/);
});
