// What a user gets: the packed tarball installed into an empty project, imported from ES modules, CommonJS and
// TypeScript. A build from source inside such an install takes minutes: native/gyp.test.ts.
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkConsumers, esm, newProject } from './consumer.js';
import { onPath, pack, root, runNode, runProgram, userEnvironment } from './support.js';

const bin = (path: string) => join(root, 'node_modules', path);

const typed = `
import { ops, type Tensor, tensor } from 'anneal';
export const a: Tensor = tensor([1, 2, 3, 4], [2, 2]);
export const data: Promise<ArrayLike<number>> = ops.matmul(a, a).data();
// @ts-expect-error a shape is a list of numbers
export const wrong = tensor([1], 'two');
`;

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

let folder: string;
let tarball: string;
let project: string;
let installed: string;
let prebuilt: string;

// One install serves all tests here: each puts its own addon into it.
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anneal-install-'));
  tarball = await pack(folder);
  project = await newProject(folder, tarball, userEnvironment({ ANNEAL_SKIP_BUILD: '1' }));
  installed = join(project, 'node_modules', 'anneal');
  prebuilt = join(installed, 'prebuilds', `${process.platform}-${process.arch}`, 'anneal.node');
  await mkdir(join(prebuilt, '..'), { recursive: true });
});
after(() => rm(folder, { recursive: true, force: true }));

test('an installed tarball works from ES modules, CommonJS and TypeScript', async () => {
  // The addon built here stands in for a prebuilt one, so that this test does not take a build's minutes.
  await copyFile(join(root, 'build', 'Release', 'anneal.node'), prebuilt);
  await runNode([join(installed, 'scripts', 'build-addon.mjs'), '--install'], { cwd: installed });

  await checkConsumers(project);
  await checkTypes(project);
  // `sharp`, an optional peer dependency, is not there.
  const missing = `import('anneal').then(({ data }) => data.imageFolder('.', { size: 8 })).catch(({ code, message }) => console.log(code, message))`;
  assert.match(
    await runNode(['--input-type=module', '-e', missing], { cwd: project }),
    /^E_DEVICE imageFolder: expected the npm package sharp, .* run "npm install sharp"\n$/s,
  );
  const version = await runProgram(join(project, 'node_modules', '.bin', 'anneal'), ['--version'], { cwd: project });
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  assert.ok(version.includes(manifest.version), `anneal --version printed ${version}`);

  await runNode([bin('publint/src/cli.js'), 'run', installed, '--strict', '--pack=false']);
  await runNode([bin('@arethetypeswrong/cli/dist/index.js'), tarball, '--no-definitely-typed']);
});

test('an unusable prebuilt is refused', async () => {
  await writeFile(prebuilt, 'not a shared library');
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

test('the tarball has all that CMake needs', { skip: !onPath('cmake') && 'needs cmake' }, async () => {
  await runProgram('cmake', ['-S', installed, '-B', join(folder, 'build'), '-DANNEAL_WERROR=ON']);
});
