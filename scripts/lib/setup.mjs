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

/** What the WebGPU tests run on; without it they skip, and say so. */
export async function installDrivers() {
  const folder = join(root, 'test', 'drivers');
  if (process.platform !== 'linux' || process.arch !== 'x64') return;
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return;
  const start = performance.now();
  log('installing SwiftShader for the WebGPU tests (70 MB)');
  const [program, ...first] = npm();
  const args = ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', folder];
  const status = await run(program, [...first, ...args], { cwd: folder });
  log(
    status === 0 ? `installed SwiftShader in ${since(start)}` : `SwiftShader could not be installed: status ${status}`,
  );
}
