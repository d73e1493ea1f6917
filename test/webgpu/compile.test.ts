// Every shader compiles, whatever the machine has: compile_body.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCaseTables } from '../support/case_file.js';
import { runChild } from '../support/child.js';

test("Dawn's null backend compiles the shaders of every case, for GPUs and software, with and without subgroups", async () => {
  const { code, stdout, stderr } = await runChild('test/webgpu/compile_body.ts', [], { timeout: 600_000 });
  assert.equal(code, 0, stderr);
  const cases = [...readCaseTables().values()].reduce((sum, table) => sum + table.cases.length, 0);
  const [software, gpu, ...subgroups]: number[] = JSON.parse(stdout);
  assert.deepEqual([software, gpu], [cases, cases]);
  assert.equal(subgroups.length, 2);
  assert.ok(subgroups.every((count) => count > 0));
});
