// Arrows point one way (ARCHITECTURE.md): what each folder of src/ may import, and who may see Node-API.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/child.js';

/** The other folders that files of a folder may import. checks.ts, errors.ts, scalar.ts and version.ts are for all. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  random: [],
  io: ['tensor'],
  backend: ['binding'],
  // Tensors carry their place on the tape, and backward rules are made of ops: these three know each other.
  tensor: ['backend', 'autograd', 'ops'],
  autograd: ['backend', 'tensor', 'ops'],
  ops: ['backend', 'random', 'tensor', 'autograd'],
  capture: ['backend', 'tensor', 'autograd', 'ops'],
  data: ['backend', 'io', 'random', 'tensor'],
  chart: [],
  schedule: ['io', 'chart'],
  nn: ['random', 'io', 'tensor', 'autograd', 'ops'],
  optim: ['backend', 'io', 'tensor', 'autograd', 'ops', 'schedule'],
  train: ['backend', 'chart', 'io', 'tensor', 'autograd', 'ops', 'capture', 'data', 'nn', 'optim', 'schedule'],
  transfer: ['io', 'tensor', 'nn', 'optim', 'train'],
  ensemble: ['io', 'tensor', 'autograd', 'ops', 'data', 'nn', 'train'],
  report: ['backend', 'chart', 'io', 'data', 'nn', 'optim', 'schedule', 'train'],
  search: ['backend', 'chart', 'io', 'random', 'train', 'report', 'device'],
  profile: ['backend', 'io', 'tensor', 'ops', 'report', 'bench'],
  compare: ['backend', 'tensor', 'ops', 'bench', 'profile', 'device'],
  bench: [
    'backend',
    'chart',
    'io',
    'tensor',
    'autograd',
    'ops',
    'capture',
    'data',
    'nn',
    'optim',
    'schedule',
    'train',
    'report',
  ],
};

const forAll = ['checks', 'errors', 'scalar', 'version'];

/** Of io/, tensor/ and ops/, these import nothing that computes: what data files and schedules may use of them. */
const pureTensorFiles = ['tensor/dtype.ts', 'tensor/half.ts', 'tensor/shape.ts'];

interface Import {
  readonly from: string;
  readonly to: string;
}

function filesIn(folder: string, endings: readonly string[]): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

const specifier = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g;

/** Every relative import within src/, paths from there. */
const imports: Import[] = filesIn('src', ['.ts']).flatMap((path) => {
  const from = path.slice('src/'.length);
  return [...readFileSync(join(root, path), 'utf8').matchAll(specifier)].flatMap(([, name = '']) =>
    name.startsWith('.') ? [{ from, to: join(dirname(from), name).split(sep).join('/').replace(/\.js$/, '.ts') }] : [],
  );
});

/** The folder, or the name of a file right in src/. */
const roomOf = (path: string): string => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';
const show = ({ from, to }: Import): string => `${from} imports ${to}`;

test('the imports were found', () => {
  assert.ok(imports.length > 200, `${imports.length}`);
  assert.ok(imports.some(({ from, to }) => from === 'nn/layers/dense.ts' && to === 'ops/sgemm/sgemm.ts'));
});

test('every folder imports only what lies before it', () => {
  const wrong = imports.filter(({ from, to }) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    const isEntry = !from.includes('/') || room === 'cli';
    return !isEntry && target !== room && !forAll.includes(target) && !(allowed[room] ?? []).includes(target);
  });
  assert.deepEqual(wrong.map(show), []);
});

test('every folder is listed above', () => {
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  assert.deepEqual(rooms.sort(), [...Object.keys(allowed), 'cli'].sort());
});

test('nothing below train imports train, transfer, ensemble, report, search, bench, profile, compare or cli, and only the command imports cli', () => {
  const above = ['train', 'transfer', 'ensemble', 'report', 'search', 'bench', 'profile', 'compare', 'cli'];
  const wrong = imports.filter(({ from, to }) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    if (target === 'cli') return room !== 'cli';
    return above.includes(target) && !above.includes(room) && from !== 'index.ts';
  });
  assert.deepEqual(wrong.map(show), []);
});

test('reading files and making batches loads no kernel', () => {
  const wrong = imports.filter(
    ({ from, to }) =>
      ['io', 'data', 'schedule'].includes(roomOf(from)) && roomOf(to) === 'tensor' && !pureTensorFiles.includes(to),
  );
  assert.deepEqual(wrong.map(show), []);
});

test('only binding.ts loads the addon, and only the backend asks it for one', () => {
  const loaders = filesIn('src', ['.ts']).filter((path) =>
    /\bcreateRequire\b|\bprocess\.dlopen\b|anneal\.node/.test(readFileSync(join(root, path), 'utf8')),
  );
  assert.ok(loaders.includes('src/binding.ts'));
  // Others may use createRequire for a package, never for a .node file.
  const native = loaders.filter((path) => /\.node\b/.test(readFileSync(join(root, path), 'utf8')));
  assert.deepEqual(native, ['src/binding.ts']);
  const users = imports.filter(({ to }) => to === 'binding.ts').map(({ from }) => roomOf(from));
  assert.deepEqual([...new Set(users)], ['backend']);
});

const included = (path: string): string[] =>
  [...readFileSync(join(root, path), 'utf8').matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map(
    ([, name = '']) => name,
  );

const isNodeApi = (name: string): boolean => /^(napi|node_api|js_native_api|node|v8|uv)[^/]*\.h$/.test(name);
const cpp = ['.h', '.cpp', '.def'];

test('Node-API appears only in addon.cpp and native/bindings/', () => {
  const bindings = filesIn('native', cpp).filter(
    (path) => path === 'native/addon.cpp' || path.startsWith('native/bindings/'),
  );
  assert.ok(bindings.some((path) => included(path).some(isNodeApi)));
  const others = [...filesIn('native', cpp), ...filesIn('kernels', cpp)].filter((path) => !bindings.includes(path));
  assert.ok(others.length > 50, `${others.length}`);
  for (const path of others) {
    const names = included(path);
    assert.deepEqual(names.filter(isNodeApi), [], path);
    assert.deepEqual(
      names.filter((name) => name.includes('bindings')),
      [],
      path,
    );
    assert.doesNotMatch(readFileSync(join(root, path), 'utf8'), /\bnapi_\w+|\bNapi::/, path);
  }
});

test('of the core, kernels include only the op contract and its checks', () => {
  const outside = filesIn('kernels', cpp).flatMap((path) =>
    included(path)
      .filter((name) => name.includes('/'))
      .map((name) => join(dirname(path), name).split(sep).join('/'))
      .filter((name) => !name.startsWith('kernels/')),
  );
  const allowed = ['native/backends/cuda/launch.h', 'native/core/check.h', 'native/core/op.h'];
  assert.deepEqual([...new Set(outside)].sort(), allowed);
  const launches = filesIn('kernels', cpp).filter((path) =>
    included(path).some((name) => name.endsWith('/cuda/launch.h')),
  );
  assert.deepEqual(
    launches.filter((path) => !/\.cuda\.(cpp|h)$/.test(path)),
    [],
  );
});
