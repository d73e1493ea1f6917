// Captures come and go in any order, and nothing is left of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from '../support/child.js';

test('capture, replay, dispose and capture again in random order', async (t) => {
  const seed = Date.now() % 1e6;
  const { code, stdout, stderr } = await runChild('test/capture/soak.ts', ['6', String(seed)], {
    nodeArgs: ['--expose-gc'],
  });
  assert.equal(code, 0, `seed ${seed}: ${stderr}`);
  const count: Record<string, number> = JSON.parse(stdout);
  t.diagnostic(`seed ${seed}: ${stdout.trim()}`);
  for (const name of ['step', 'infer', 'freeze', 'again', 'fail', 'threads', 'trim'])
    assert.ok((count[name] ?? 0) > 0, `${name} never happened`);
});
