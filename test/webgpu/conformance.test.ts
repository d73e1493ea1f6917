// Every op on WebGPU, on each driver, against the reference kernels: test/support/conformance.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opNames } from '../../src/backend/backend.js';
import { runChild } from '../support/child.js';
import { drivers } from '../support/drivers.js';

for (const { name, env, missing } of drivers()) {
  const skip = env === null ? missing : false;
  let running: Promise<{ wrong: Record<string, string[]> }> | undefined;
  const results = (): Promise<{ wrong: Record<string, string[]> }> => {
    running ??= runChild('test/webgpu/conformance_body.ts', [], { env: env ?? {}, timeout: 900_000 }).then((child) => {
      assert.equal(child.code, 0, child.stderr);
      return JSON.parse(child.stdout);
    });
    return running;
  };
  for (const op of opNames) {
    test(`${op} on ${name}`, { skip }, async () => {
      const found = (await results()).wrong[op];
      assert.ok(found, `${op} has no kernel for webgpu`);
      assert.equal(found.length, 0, `\n${found.slice(0, 20).join('\n')}${found.length > 20 ? '\n...' : ''}`);
    });
  }
}
