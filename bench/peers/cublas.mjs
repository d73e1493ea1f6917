// cuBLAS as a peer of the benchmark on CUDA devices: `node cublas.mjs`, protocol in README.md. Builds cublas.cpp once, which checks the
// library's products and times them.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { buildProgram, emit, missing, productLines, readRequest, skipOthers } from './lib.mjs';

const names = ['libcublas.so.13', 'libcublas.so.12', 'libcublas.so.11'];
const chosen = process.env.ANNEAL_CUBLAS_LIBRARY;
const libraries = chosen ? [chosen] : ['', '/usr/local/cuda/lib64/'].flatMap((folder) => names.map((n) => folder + n));

const request = await readRequest();
const [, ordinal] = /^cuda:(\d+)$/.exec(request.device ?? '') ?? [];
if (ordinal === undefined) missing('cuBLAS runs on CUDA devices: --device cuda');
const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
const program = buildProgram('cublas.cpp', compilers, ['-std=c++20', '-O2', '-ldl']);
const { precision, budgetMs, seed } = request;
const child = spawn(program, [ordinal, precision, String(budgetMs), String(seed), ...libraries], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
child.stdin.on('error', () => {}); // it ended before it read everything: 'close' says why
child.stdin.end(productLines(request.works));
let begun = false;
createInterface({ input: child.stdout }).on('line', (line) => {
  if (begun) return process.stdout.write(`${line}\n`);
  begun = true;
  const head = JSON.parse(line);
  if (head.missing !== undefined) return emit(head);
  const on = `${head.emulated ? 'emulated: ' : ''}${head.device}, driver for CUDA ${head.driver}`;
  emit({ peer: 'cublas', version: head.version, detail: `${on}, products in ${precision}, timed on the device` });
  skipOthers(request.works);
});
child.once('close', (code, signal) => {
  if (code !== 0) console.error(`cuBLAS's program ended with ${signal ?? `status ${code}`}`);
  process.exitCode = code === 0 ? 0 : 1;
});
