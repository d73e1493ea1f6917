// OpenBLAS or BLIS as a peer of the benchmark: `node blas.mjs openblas|blis`, protocol in README.md. Builds blas.c once,
// lets the library pick its kernels, checks them, and times all products from C.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildProgram, emit, missing, productLines, readRequest, skipOthers } from './lib.mjs';

const x64 = process.arch === 'x64';

// `variable` forces the kernels. A build that is older than the processor can choose generic ones (BLIS 0.9 on Zen 5 runs
// at a tenth of its speed) or wrong ones, so the candidates are tried too. BLIS takes the numbers of its arch_t.
const libraries = {
  openblas: {
    files: ['libopenblas.so.0', 'libopenblas.so', 'libopenblas.dylib'],
    folders: ['openblas-pthread', 'openblas-openmp', ''],
    variable: 'OPENBLAS_CORETYPE',
    candidates: x64 ? ['SkylakeX', 'Haswell'] : ['ARMV8'],
    from: "Debian's libopenblas0-pthread",
  },
  blis: {
    files: ['libblis.so.4', 'libblis.so', 'libblis.dylib'],
    folders: ['blis-openmp', 'blis-pthread', ''],
    variable: 'BLIS_ARCH_TYPE',
    candidates: x64 ? ['0', '6', '8', '3'] : [],
    from: "Debian's libblis4-openmp",
  },
};

/** Every folder that a system keeps shared libraries in: Debian's multiarch ones first. */
function libraryFolders() {
  const multiarch = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => /-linux-gnu/.test(name)) : [];
  const ours = (name) => name.startsWith(x64 ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch);
  const sorted = multiarch.filter(ours).map((name) => join('/usr/lib', name));
  const homebrew = ['openblas', 'blis'].flatMap((name) => [
    `/opt/homebrew/opt/${name}/lib`,
    `/usr/local/opt/${name}/lib`,
  ]);
  return [...sorted, '/usr/lib64', '/usr/local/lib64', '/usr/lib', '/usr/local/lib', ...homebrew];
}

function findLibrary({ files, folders }) {
  for (const folder of folders)
    for (const base of libraryFolders())
      for (const file of files) {
        const path = join(base, folder, file);
        if (existsSync(path)) return path;
      }
  return null;
}

const name = process.argv[2];
const library = libraries[name];
const request = await readRequest();
const path = findLibrary(library);
if (!path) missing(`no ${library.files[0]} on this machine; ${library.from} brings it`);
const program = buildProgram('blas.c', process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang'], [
  '-O2',
  '-lm',
  '-ldl',
]);

function ask(mode, core) {
  const env = { ...process.env, ...(core ? { [library.variable]: core } : {}) };
  const { status, stdout } = spawnSync(program, [path, mode], { encoding: 'utf8', env, timeout: 30_000 });
  return status === 0 ? JSON.parse(stdout) : null;
}

// Its own choice stays unless it is wrong, crashes, or another is a tenth faster.
let chosen = null;
const refused = [];
for (const core of ['', ...library.candidates]) {
  const check = ask('check', core);
  const gflops = check?.wrong === 0 ? ask('probe', core)?.gflops : undefined;
  if (gflops === undefined) {
    refused.push(`${core || 'its own choice'} ${check?.wrong ? 'multiplies wrongly' : 'crashes'}`);
  } else if (!chosen || gflops > 1.1 * chosen.gflops) {
    chosen = { core, gflops, check, own: chosen ?? undefined };
  }
}
if (!chosen) missing(`no usable kernels in ${path}: ${refused.join(', ')}`);
const { core, gflops, check, own } = chosen;
let detail = `${check.core} kernels, sgemm 512 at ${gflops.toFixed(0)} GFLOP/s, ${request.threads} threads`;
if (core) {
  const why = own
    ? `its own choice ${own.check.core} reaches ${own.gflops.toFixed(0)}`
    : refused.filter((text) => text.startsWith('its own choice')).join();
  detail += `; forced with ${library.variable}=${core}, since ${why}`;
}
const version = check.blis || /\d+(\.\d+)+/.exec(check.openblas)?.[0] || 'unknown';
emit({ peer: name, version, detail });

skipOthers(request.works);
const env = { ...process.env, ...(core ? { [library.variable]: core } : {}) };
const child = spawn(program, [path, 'time', String(request.budgetMs), String(request.seed)], {
  env,
  stdio: ['pipe', 'pipe', 'inherit'],
});
child.stdin.end(productLines(request.works));
createInterface({ input: child.stdout }).on('line', (line) => process.stdout.write(`${line}\n`));
child.once('close', (code, signal) => {
  if (code !== 0) console.error(`${name}'s program ended with ${signal ?? `status ${code}`}`);
  process.exitCode = code === 0 ? 0 : 1;
});
