import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './support.js';

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

test('the lock file pins every package by its content and names no download address', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const { packages }: { packages: Record<string, LockedPackage> } = JSON.parse(text);
  for (const [path, locked] of Object.entries(packages)) {
    if (path === '') continue;
    assert.ok(locked.version, `${path} has no version`);
    assert.ok(locked.integrity, `${path} has no integrity`);
    assert.equal(locked.resolved, undefined, path);
    // `npm ci` refuses a lock file that leaves out a platform's package.
    for (const name of Object.keys(locked.optionalDependencies ?? {})) {
      assert.ok(packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`], `${name} is missing`);
    }
  }
});
