// A weak symbol (an inline function, a template instance) that two instruction sets' objects share is kept once by the
// linker: code compiled for AVX-512 could then run on a CPU without it. So every symbol a kernel object exports must
// carry its instruction set's namespace in its name.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, runProgram } from './support.js';

interface ObjectFile {
  readonly isa: string;
  readonly path: string;
}

// Where CMake and node-gyp keep the objects of the addon.
const objectFolders = ['build/cmake/CMakeFiles', 'build/Release/obj.target'].map((path) => join(root, path));

function kernelObjects(): ObjectFile[] {
  const objects: ObjectFile[] = [];
  for (const folder of objectFolders.filter(existsSync)) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.cpu(\.cpp)?\.o$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      const isa = /anneal_kernels_(\w+)/.exec(path)?.[1];
      if (isa) objects.push({ isa, path });
    }
  }
  return objects;
}

/** Lines of `nm`: exported symbols (upper case types, and u for unique ones) not in the namespace anneal::<isa>. */
function strays(nm: string, isa: string): string[] {
  const namespace = `6anneal${isa.length}${isa}`;
  return nm.split('\n').filter((line) => {
    const [, type = '', name = ''] = /^\S* ?(\S) (\S+)$/.exec(line) ?? [];
    return /[A-Zu]/.test(type) && !name.includes(namespace);
  });
}

test('kernel objects export nothing outside the namespace of their instruction set', async (t) => {
  const objects = kernelObjects();
  if (objects.length === 0) return t.skip('no kernel objects: the addon is a prebuilt one');
  if (process.platform !== 'linux') return t.skip('reads ELF symbols: Linux only');
  const listings = await Promise.all(objects.map(({ path }) => runProgram('nm', ['--defined-only', path])));
  for (const [i, { isa, path }] of objects.entries()) {
    const nm = listings[i] ?? '';
    assert.ok(nm.includes(`6anneal${isa.length}${isa}`), `${path} defines nothing of ${isa}`);
    assert.deepEqual(strays(nm, isa), [], path);
  }
});

test('the check finds a shared template instance', () => {
  const nm = [
    '0000000000000000 T _ZN6anneal4avx25sgemmERKNS_6OpCallE',
    '0000000000000000 W _ZN6anneal4avx28parallelIZNS0_5sgemmERKNS_6OpCallEEUllE_EEvRNS_4ExecElRKT_',
    '0000000000000000 t _ZL4loadPKf',
    '0000000000000000 W _ZNSt6vectorIfSaIfEE6resizeEm',
    '0000000000000000 T _ZN6anneal6avx5125sgemmERKNS_6OpCallE',
  ].join('\n');
  assert.deepEqual(
    strays(nm, 'avx2').map((line) => line.split(' ')[2]),
    ['_ZNSt6vectorIfSaIfEE6resizeEm', '_ZN6anneal6avx5125sgemmERKNS_6OpCallE'],
  );
});
