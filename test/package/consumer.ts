// An empty project that installs anneal, and what is run in it.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runNode, runProgram } from './support.js';

/** A project in `folder` that depends on the tarball alone. */
export async function newProject(folder: string, tarball: string, env: NodeJS.ProcessEnv): Promise<string> {
  const project = join(folder, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0', private: true }));
  // npm 12 and later ask before they run a package's install script; older ones ignore the setting.
  const args = ['install', tarball, '--prefer-offline', '--no-audit', '--no-fund', '--foreground-scripts'];
  await runProgram('npm', args, { cwd: project, env });
  return project;
}

export const esm = `
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

/** Both kinds of module compute the same, and see the same names. */
export async function checkConsumers(project: string): Promise<void> {
  await writeFile(join(project, 'esm.mjs'), esm);
  await writeFile(join(project, 'common.cjs'), commonJs);
  const fromEsm = JSON.parse(await runNode(['esm.mjs'], { cwd: project }));
  const fromCommonJs = JSON.parse(await runNode(['common.cjs'], { cwd: project }));
  assert.deepEqual(fromEsm.data, [7, 10, 15, 22]);
  assert.deepEqual(fromCommonJs, fromEsm);
}
