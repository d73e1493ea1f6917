// The steps every entry point of the repository starts with. Node built-ins only: there may be no node_modules yet.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, log, npm, root, run, since } from './process.mjs';

const needed = [20, 17];

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
    throw new Failure(`expected Node.js ${needed.join('.')} or newer, received ${process.versions.node}`);
  }
}

// npm writes this file at the end of every install.
function packagesUpToDate() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  return statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

async function installPackages() {
  if (packagesUpToDate()) return;
  const start = performance.now();
  log('installing npm packages (npm ci)');
  const [program, ...first] = npm();
  // Without scripts: no package here needs one, and our own `install` script is the next step.
  const status = await run(program, [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  if (status !== 0) throw new Failure(`npm ci failed with status ${status}`, status);
  log(`installed npm packages in ${since(start)}`);
}

async function step(script) {
  const status = await run(process.execPath, [join(root, 'scripts', script)]);
  if (status !== 0) throw new Failure(`scripts/${script} failed with status ${status}`, status);
}

/** @param {{ typescript?: boolean }} options typescript: false leaves dist/ alone (the tests run from src/) */
export async function setup({ typescript = true } = {}) {
  checkNode();
  await installPackages();
  await step('build-addon.mjs');
  if (typescript) await step('build-ts.mjs');
}

/** What some tests run on, in packages of their own; without it they skip, and say so. */
export async function installDrivers() {
  if (process.platform === 'linux' && process.arch === 'x64')
    await installBeside('drivers', 'SwiftShader for the WebGPU tests (70 MB)');
  await installBeside('tools', 'playwright-core and protobufjs for tests (20 MB)');
}

async function installBeside(name, what) {
  const folder = join(root, 'test', name);
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return;
  const start = performance.now();
  log(`installing ${what}`);
  const [program, ...first] = npm();
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', folder];
  const status = await run(program, [...first, ...args], { cwd: folder });
  log(status === 0 ? `installed in ${since(start)}` : `could not be installed: status ${status}`);
}
