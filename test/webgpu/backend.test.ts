// The WebGPU device on each driver, in a process that finds it: backend_body.ts. The process ends by itself when its work is done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from '../support/child.js';
import { drivers } from '../support/drivers.js';

for (const { name, env, missing } of drivers()) {
  test(`the device on ${name}`, { skip: env === null ? missing : false }, async () => {
    const { code, signal, stdout, stderr } = await runChild('test/webgpu/backend_body.ts', [], { env: env ?? {} });
    assert.equal(signal ?? code, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /# pass [1-9]/);
    assert.match(stdout, /# fail 0/);
  });
}
