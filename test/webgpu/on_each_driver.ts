// Runs a file of tests in a process that finds a driver, once for each. The process ends by itself when its work is done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from '../support/child.js';
import { drivers } from '../support/drivers.js';

export function onEachDriver(what: string, path: string, timeout: number): void {
  for (const { name, env, missing } of drivers()) {
    test(`${what} on ${name}`, { skip: env === null ? missing : false }, async () => {
      // A file of tests by itself, not one of the runner's.
      const alone = { ...env, NODE_TEST_CONTEXT: '' };
      const { code, signal, stdout, stderr } = await runChild(path, [], { env: alone, timeout });
      assert.equal(signal ?? code, 0, `${stdout}\n${stderr}`);
      assert.match(stdout, /# pass [1-9]/);
      assert.match(stdout, /# fail 0/);
    });
  }
}
