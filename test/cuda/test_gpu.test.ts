// npm run test:gpu on the emulated driver, with a stand-in for compute-sanitizer.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';

const { env, missing } = emulatedCuda();
const skip = env === null ? missing : false;
const folder = mkdtempSync(join(tmpdir(), 'anneal-test-gpu-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const calls = join(folder, 'calls');
// Runs what it is given, says something of its own around it, and ends with status 9 where racecheck is to find an error.
writeFileSync(
  join(folder, 'compute-sanitizer'),
  `#!/bin/sh
echo "$1 $2 $3 $4 $5 $6" >> "${calls}"
tool=$2
shift 6
echo "========= COMPUTE-SANITIZER"
"$@" || exit $?
if [ "$tool" = "$STAND_IN_FINDS" ]; then
  echo "========= ERROR SUMMARY: 1 error"
  exit 9
fi
echo "========= ERROR SUMMARY: 0 errors"
`,
);
chmodSync(join(folder, 'compute-sanitizer'), 0o755);

function testGpu(finds: string, ...args: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['scripts/test-gpu.mjs', '--driver', env?.ANNEAL_CUDA_LIBRARY ?? '', ...args],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}`, STAND_IN_FINDS: finds },
    },
  );
  return { status, text: `${stdout}\n${stderr}` };
}

test('the case tables run under memcheck and racecheck, emulated', { skip }, () => {
  writeFileSync(calls, '');
  const { status, text } = testGpu('nothing', 'fill');
  assert.equal(status, 0, text);
  assert.match(text, /^all passed on emulated/m);
  for (const tool of ['memcheck', 'racecheck']) assert.match(text, new RegExp(`case tables under ${tool}: ok`));
  const asked = (tool: string): string => `--tool ${tool} --error-exitcode 9 --target-processes all`;
  assert.deepEqual(readFileSync(calls, 'utf8').trim().split('\n'), [asked('memcheck'), asked('racecheck')]);
});

test('what a tool finds fails the run, and its words are shown, emulated', { skip }, () => {
  const { status, text } = testGpu('racecheck', 'fill');
  assert.equal(status, 1, text);
  assert.match(text, /^========= ERROR SUMMARY: 1 error$/m);
  assert.match(text, /^failed case tables under racecheck: status 9$/m);
  assert.match(text, /^1 failed on emulated/m);
  assert.match(text, /case tables under memcheck: ok/);
});

test('without the sanitizer, and for an op that is none, emulated', { skip }, () => {
  const { status, text } = testGpu('memcheck', '--no-sanitizer', 'no_such_op');
  assert.equal(status, 1, text);
  assert.match(text, /without compute-sanitizer/);
  assert.match(text, /^failed case tables: no op has such a name$/m);
});
