// The CUDA kernels' names: each once, and every one that a host file launches.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/package_root.js';

const root = packageRoot();
const files = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

const uncommented = (path: string): string => readFileSync(join(root, path), 'utf8').replace(/\/\/.*$/gm, '');

/** By name, the files with a kernel of that name. */
const kernels = new Map<string, string[]>();
for (const path of files('kernels', '.cu')) {
  const text = readFileSync(join(root, path), 'utf8');
  for (const [line] of text.matchAll(/^extern "C" __global__.*$/gm)) {
    const [, name] = / (\w+)\(const \w+ args\) \{/.exec(line) ?? [];
    assert.ok(
      name !== undefined,
      `${path}: expected a kernel of the form void name(const Args args) {, received ${line}`,
    );
    kernels.set(name, [...(kernels.get(name) ?? []), path]);
  }
}

test('no two CUDA kernels have the same name: they are extern "C", and the emulated driver links all rooms together', () => {
  assert.ok(kernels.size > 100, `${kernels.size} were found`);
  const twice = [...kernels].filter(([, paths]) => paths.length > 1);
  assert.deepEqual(
    twice.map(([name, paths]) => `${name} in ${paths.join(' and ')}: rename one, as room_${name}`),
    [],
  );
});

test('every kernel that is launched by name is there', () => {
  const missing = [...files('kernels', '.cuda.cpp'), ...files('native/backends/cuda', '.cpp')].flatMap((path) =>
    [...uncommented(path).matchAll(/"([a-z0-9_]+)\/([a-z0-9_]+)"/g)].flatMap(([launched, file, name = '']) =>
      (kernels.get(name) ?? []).some((place) => basename(place) === `${file}.cu`) ? [] : [`${path}: ${launched}`],
    ),
  );
  assert.deepEqual(missing, []);
});
