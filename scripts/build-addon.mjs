// Makes the native addon: a usable prebuilt if one is shipped, else cmake-js when CMake is there, else node-gyp.
// Nothing is downloaded: the headers are npm packages. Does nothing when the addon is up to date.
//
//   ANNEAL_BUILD=cmake|gyp           forces a build tool
//   ANNEAL_WERROR=ON                 turns warnings into errors
//   ANNEAL_CUDA_ARCHS=80,90          compute capabilities to compile CUDA kernels for, where nvcc is found (all that it can);
//                                    none leaves them out
//   ANNEAL_SKIP_BUILD=1              leaves the addon out of `npm install`
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { Failure, log, main, npm, output, root, run, since, which } from './lib/process.mjs';

const require = createRequire(import.meta.url);
const werror = process.env.ANNEAL_WERROR === 'ON';
const buildDir = join(root, 'build');
const addonPath = join(buildDir, 'Release', 'anneal.node');
const stampPath = join(buildDir, 'addon.json');
const cudaArchs = (process.env.ANNEAL_CUDA_ARCHS ?? '').split(/[,;\s]+/).filter(Boolean);
const jobs = String(process.env.ANNEAL_JOBS ?? availableParallelism());

function chooseTool() {
  const forced = process.env.ANNEAL_BUILD;
  if (forced && forced !== 'cmake' && forced !== 'gyp') {
    throw new Failure(`ANNEAL_BUILD: expected cmake or gyp, received ${forced}`);
  }
  if (forced) return forced;
  return which('cmake') ? 'cmake' : 'gyp';
}

function listFiles(dir) {
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) return path === join(root, 'native', 'test') ? [] : listFiles(path);
      return /\.(cpp|h|def|cu|cuh|cmake)$/.test(entry.name) || entry.name === 'sources.json' ? [path] : [];
    });
}

// The content of everything the addon is made from. By content, not by time: a checkout or an unpacked tarball sets
// times as it likes.
function sourceHash(tool) {
  const hash = createHash('sha256');
  const { CXX = '', CXXFLAGS = '' } = process.env;
  hash.update(JSON.stringify([tool, process.platform, process.arch, CXX, CXXFLAGS, cudaArchs]));
  const buildFiles = ['CMakeLists.txt', 'binding.gyp'].map((name) => join(root, name));
  const folders = ['native', 'kernels', 'cmake'].flatMap((name) => listFiles(join(root, name)));
  for (const path of [...buildFiles, ...folders]) {
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  return hash.digest('hex');
}

function upToDate(hash) {
  if (!existsSync(addonPath) || !existsSync(stampPath)) return false;
  try {
    const stamp = JSON.parse(readFileSync(stampPath, 'utf8'));
    return stamp.hash === hash && (stamp.werror || !werror);
  } catch {
    return false;
  }
}

// A prebuilt counts only if this Node on this system can load it.
function usePrebuilt() {
  const prebuilt = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'anneal.node');
  if (process.env.ANNEAL_BUILD || !existsSync(prebuilt)) return false;
  if (output(process.execPath, ['-e', `require(${JSON.stringify(prebuilt)})`]) === null) {
    log(`the prebuilt addon ${relative(root, prebuilt)} cannot be loaded on this system; building from source`);
    return false;
  }
  return true;
}

// A missing symbol shows only when the addon is loaded.
function checkLoads() {
  const result = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(addonPath)})`], { encoding: 'utf8' });
  if (result.status === 0) return;
  const reason = result.stderr.split('\n').find((line) => line.includes('Error:')) ?? result.stderr.trim();
  throw new Failure(
    `the addon was built but cannot be loaded: ${reason || `status ${result.status}, ${result.signal}`}`,
  );
}

function findCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const name of names) {
    const version = output(name, ['--version']);
    if (version !== null) return version.split('\n')[0];
  }
  const hint =
    process.platform === 'darwin'
      ? 'xcode-select --install'
      : process.platform === 'linux'
        ? 'apt-get install g++   (or: dnf install gcc-c++, apk add g++)'
        : 'use Linux or macOS (or WSL): the kernels need GCC or Clang';
  throw new Failure(`no C++ compiler found (tried ${names.join(', ')}). anneal needs GCC 12+ or Clang 15+: ${hint}`);
}

// One build at a time in a build folder; a second one waits and then finds its work done.
async function withLock(body) {
  mkdirSync(buildDir, { recursive: true });
  const lock = join(buildDir, 'addon.lock');
  for (let told = false; ; ) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (owner && !isAlive(owner)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) log(`another build (process ${owner}) is running; waiting for it`);
    told = true;
    await new Promise((done) => setTimeout(done, 300));
  }
  const release = () => rmSync(lock, { force: true });
  process.on('exit', release);
  try {
    return await body();
  } finally {
    release();
    process.off('exit', release);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function buildWithCMake() {
  if (!which('cmake')) throw new Failure('ANNEAL_BUILD=cmake, but there is no cmake on PATH');
  const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  const out = join(buildDir, 'cmake');
  const options = [
    `--out=${out}`,
    `--parallel=${jobs}`,
    '--log-level=warn',
    `--CDANNEAL_WERROR=${werror ? 'ON' : 'OFF'}`,
    `--CDANNEAL_CUDA_ARCHS=${cudaArchs.join(';') || 'all'}`,
  ];
  // `build` alone would keep the options of an earlier configuration. CMake refuses a build folder that was made for
  // another source folder (a moved checkout), so such a one is dropped.
  const cache = join(out, 'CMakeCache.txt');
  if (existsSync(cache) && !readFileSync(cache, 'utf8').includes(`anneal_SOURCE_DIR:STATIC=${realpathSync(root)}\n`)) {
    rmSync(out, { recursive: true });
  }
  for (const command of ['configure', 'build']) {
    const status = await run(process.execPath, [cmakeJs, command, ...options]);
    if (status !== 0) throw new Failure(`cmake-js ${command} failed with status ${status}`, status);
  }
  mkdirSync(dirname(addonPath), { recursive: true });
  // By rename, so that a process that has the old one mapped keeps it whole.
  cpSync(join(out, 'Release', 'anneal.node'), `${addonPath}.new`);
  renameSync(`${addonPath}.new`, addonPath);
}

function findNodeGyp() {
  const beside = (npmRoot) => join(npmRoot, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const candidates = [process.env.npm_config_node_gyp];
  const npmScript = npm()[1] ?? which('npm');
  if (npmScript) candidates.push(beside(dirname(dirname(realpathSync(npmScript)))));
  candidates.push(beside(resolve(process.execPath, '../../lib/node_modules/npm')));
  candidates.push(beside(resolve(process.execPath, '../node_modules/npm')));
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) {
    throw new Failure('neither cmake nor the node-gyp that comes with npm was found: install CMake (3.19 or newer)');
  }
  return found;
}

// node-gyp downloads Node's headers unless --nodedir names a folder with them. The addon uses Node-API only, so where
// Node was installed without headers the ones from node-api-headers and an empty common.gypi do.
function nodeDir() {
  const installed = resolve(realpathSync(process.execPath), '../..');
  if (existsSync(join(installed, 'include', 'node', 'common.gypi'))) return installed;
  const made = join(buildDir, 'nodedir');
  const include = join(made, 'include', 'node');
  cpSync(require('node-api-headers').include_dir, include, { recursive: true });
  const release = { cflags: ['-O2'], xcode_settings: { GCC_OPTIMIZATION_LEVEL: '2' }, defines: ['NDEBUG'] };
  const gypi = {
    target_defaults: { default_configuration: 'Release', configurations: { Release: release, Debug: {} } },
  };
  writeFileSync(join(include, 'common.gypi'), JSON.stringify(gypi));
  return made;
}

async function buildWithNodeGyp() {
  const nodeGyp = findNodeGyp();
  if (
    !['python3', 'python'].some(
      (name) => output(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']) !== null,
    )
  ) {
    throw new Failure('node-gyp needs Python 3.8 or newer, which was not found: install it, or install CMake');
  }
  const makefile = join(buildDir, 'Makefile');
  if (existsSync(makefile) && !existsSync(join(buildDir, 'anneal.target.mk'))) rmSync(makefile);
  for (const command of [
    ['configure', '--release'],
    ['build', '--release', `--jobs=${jobs}`],
  ]) {
    const args = [nodeGyp, ...command, `--nodedir=${nodeDir()}`, '--loglevel=warn'];
    const status = await run(process.execPath, args);
    if (status !== 0) throw new Failure(`node-gyp ${command[0]} failed with status ${status}`, status);
  }
}

await main(async () => {
  if (process.argv.includes('--install') && process.env.ANNEAL_SKIP_BUILD === '1') {
    log('ANNEAL_SKIP_BUILD=1: the native addon is not built');
    return;
  }
  if (usePrebuilt()) {
    log(`the native addon is ready (prebuilt for ${process.platform}-${process.arch})`);
    return;
  }
  const tool = chooseTool();
  if (upToDate(sourceHash(tool))) {
    log('the native addon is up to date');
    return;
  }
  const compiler = findCompiler();
  await withLock(async () => {
    const hash = sourceHash(tool);
    if (upToDate(hash)) return log('the native addon is up to date');
    const start = performance.now();
    log(`building the native addon with ${tool === 'cmake' ? 'CMake' : 'node-gyp'}, ${jobs} jobs, ${compiler}`);
    rmSync(stampPath, { force: true });
    await (tool === 'cmake' ? buildWithCMake() : buildWithNodeGyp());
    checkLoads();
    writeFileSync(stampPath, `${JSON.stringify({ hash, tool, compiler, werror })}\n`);
    log(`built ${relative(root, addonPath)} in ${since(start)}`);
  });
});
