// What a user gets: the packed tarball installed into an empty project, imported from ES modules, CommonJS and
// TypeScript. A build from source inside such an install takes minutes, so it runs with the slow tests.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { onPath, pack, root, runNode, runProgram, slow, userEnvironment, withFolder } from './support.js';

const bin = (path: string) => join(root, 'node_modules', path);

async function newProject(folder: string, tarball: string, env: NodeJS.ProcessEnv): Promise<string> {
  const project = join(folder, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0', private: true }));
  // npm 12 and later ask before they run a package's install script; older ones ignore the setting.
  const args = ['install', tarball, '--prefer-offline', '--no-audit', '--no-fund', '--foreground-scripts'];
  await runProgram('npm', args, { cwd: project, env });
  return project;
}

const esm = `
import * as anneal from 'anneal';
const a = anneal.tensor([1, 2, 3, 4], [2, 2]);
const product = anneal.ops.matmul(a, a);
console.log(JSON.stringify({ names: Object.keys(anneal).sort(), data: [...(await product.data())] }));
`;

const commonJs = `
const anneal = require('anneal');
const a = anneal.tensor([1, 2, 3, 4], [2, 2]);
const product = anneal.ops.matmul(a, a);
const names = Object.keys(anneal).filter((name) => name !== 'default').sort();
product.data().then((data) => console.log(JSON.stringify({ names, data: [...data] })));
`;

const typed = `
import { ops, type Tensor, tensor } from 'anneal';
export const a: Tensor = tensor([1, 2, 3, 4], [2, 2]);
export const data: Promise<ArrayLike<number>> = ops.matmul(a, a).data();
// @ts-expect-error a shape is a list of numbers
export const wrong = tensor([1], 'two');
`;

async function checkConsumers(project: string): Promise<void> {
  await writeFile(join(project, 'esm.mjs'), esm);
  await writeFile(join(project, 'common.cjs'), commonJs);
  const fromEsm = JSON.parse(await runNode(['esm.mjs'], { cwd: project }));
  const fromCommonJs = JSON.parse(await runNode(['common.cjs'], { cwd: project }));
  assert.deepEqual(fromEsm.data, [7, 10, 15, 22]);
  assert.deepEqual(fromCommonJs, fromEsm);
}

async function checkTypes(project: string): Promise<void> {
  await writeFile(join(project, 'typed.mts'), typed);
  await writeFile(join(project, 'typed.cts'), typed);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [bin('@types')],
  };
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['typed.mts', 'typed.cts'] }),
  );
  await runNode([bin('typescript/bin/tsc'), '-p', '.'], { cwd: project });
}

test('an installed tarball works from ES modules, CommonJS and TypeScript', async () => {
  await withFolder(async (folder) => {
    const tarball = await pack(folder);
    const project = await newProject(folder, tarball, userEnvironment({ ANNEAL_SKIP_BUILD: '1' }));
    const installed = join(project, 'node_modules', 'anneal');
    // The addon built here stands in for a prebuilt one, so that this test does not take a build's minutes.
    const prebuilt = join(installed, 'prebuilds', `${process.platform}-${process.arch}`, 'anneal.node');
    await mkdir(join(prebuilt, '..'), { recursive: true });
    await copyFile(join(root, 'build', 'Release', 'anneal.node'), prebuilt);
    await runNode([join(installed, 'scripts', 'build-addon.mjs'), '--install'], { cwd: installed });

    await checkConsumers(project);
    await checkTypes(project);
    const version = await runProgram(join(project, 'node_modules', '.bin', 'anneal'), ['--version'], { cwd: project });
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    assert.ok(version.includes(manifest.version), `anneal --version printed ${version}`);

    await runNode([bin('publint/src/cli.js'), 'run', installed, '--strict', '--pack=false']);
    await runNode([bin('@arethetypeswrong/cli/dist/index.js'), tarball, '--no-definitely-typed']);
  });
});

test('an unusable prebuilt is refused', async () => {
  await withFolder(async (folder) => {
    const tarball = await pack(folder);
    const project = await newProject(folder, tarball, userEnvironment({ ANNEAL_SKIP_BUILD: '1' }));
    const installed = join(project, 'node_modules', 'anneal');
    const prebuilds = join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
    await mkdir(prebuilds, { recursive: true });
    await writeFile(join(prebuilds, 'anneal.node'), 'not a shared library');
    await writeFile(join(project, 'esm.mjs'), esm);
    await assert.rejects(runNode(['esm.mjs'], { cwd: project }), /AnnealError/);
    // Without a compiler the build says what to install.
    const env = { ...userEnvironment(), CXX: 'no-such-compiler' };
    const build = runNode([join(installed, 'scripts', 'build-addon.mjs')], { cwd: installed, env });
    await assert.rejects(
      build,
      /cannot be loaded on this system[\s\S]*no C\+\+ compiler found \(tried no-such-compiler\)/,
    );
  });
});

// A PATH with every program of the real one but CMake.
async function pathWithout(folder: string, hidden: readonly string[]): Promise<string> {
  const shadow = join(folder, 'bin');
  await mkdir(shadow);
  const seen = new Set<string>();
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    let names: string[] = [];
    try {
      names = readdirSync(dir);
    } catch {
      continue;
    }
    for (const name of names) {
      if (hidden.includes(name) || seen.has(name)) continue;
      seen.add(name);
      await symlink(join(dir, name), join(shadow, name));
    }
  }
  return shadow;
}

test('npm install builds the addon from the tarball without CMake', { skip: slow }, async () => {
  await withFolder(async (folder) => {
    const tarball = await pack(folder);
    const env = userEnvironment({ PATH: await pathWithout(folder, ['cmake', 'cmake3']) });
    const project = await newProject(folder, tarball, env);
    const stamp = await readFile(join(project, 'node_modules', 'anneal', 'build', 'addon.json'), 'utf8');
    assert.equal(JSON.parse(stamp).tool, 'gyp');
    await checkConsumers(project);
  });
});

test('the tarball has all that CMake needs', { skip: !onPath('cmake') && 'needs cmake' }, async () => {
  await withFolder(async (folder) => {
    const tarball = await pack(folder);
    const project = await newProject(folder, tarball, userEnvironment({ ANNEAL_SKIP_BUILD: '1' }));
    const installed = join(project, 'node_modules', 'anneal');
    await runProgram('cmake', ['-S', installed, '-B', join(folder, 'build'), '-DANNEAL_WERROR=ON']);
  });
});
