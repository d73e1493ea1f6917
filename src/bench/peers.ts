// The benchmark's peers: how each is started, and what brings it. Their programs are in bench/peers/.
import { existsSync } from 'node:fs';
import { installPeers, peersFolder } from './peer_install.js';
import { type PeerOptions, type PeerProgram, type PeerRun, runPeerProgram } from './peer_process.js';
import type { Work } from './works.js';

export type { PeerFigures, PeerOptions, PeerResult, PeerRun } from './peer_process.js';

export const peerNames = [
  'openblas',
  'blis',
  'cublas',
  'pytorch',
  'tfjs-wasm',
  'tfjs-cpu',
  'tfjs-webgpu',
  'jax-js-wasm',
  'jax-js-webgpu',
] as const;

export type PeerName = (typeof peerNames)[number];

// Settings in a shell's environment must not slow a peer down: it chooses its kernels itself.
const foreign = /^(OPENBLAS|BLIS|OMP|GOMP|KMP|MKL|DNNL|ONEDNN|ATEN|MALLOC|NODE)_|^ANNEAL_PEER_/;

/** This process's environment without what tunes a peer, and with its number of threads. */
export function peerEnvironment(threads: number, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
  const count = String(threads);
  return { ...kept, OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, BLIS_NUM_THREADS: count };
}

/** Debian's packages are for its own python3; ANNEAL_PYTHON names another, e.g. of a virtual environment. */
const python = (): string =>
  process.env.ANNEAL_PYTHON ?? (existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3');

// glibc gives every large block back to the system when it is freed, and PyTorch would pay for fresh pages in every call, at
// worst a hundred times what the arithmetic costs. Ours keeps its blocks, so PyTorch may as well.
const keepMemory = {
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(2 ** 36),
  MALLOC_TOP_PAD_: String(2 ** 26),
};

function program(name: PeerName, threads: number): PeerProgram {
  const env = peerEnvironment(threads);
  const file = (path: string): string => `${peersFolder}/${path}`;
  switch (name) {
    case 'openblas':
    case 'blis':
      return { command: process.execPath, args: [file('blas.mjs'), name], env };
    case 'cublas':
      return { command: process.execPath, args: [file('cublas.mjs')], env };
    case 'pytorch':
      return { command: python(), args: [file('pytorch.py')], env: { ...env, ...keepMemory } };
    case 'tfjs-wasm':
    case 'tfjs-cpu':
    case 'tfjs-webgpu':
      return { command: process.execPath, args: [file('tfjs.mjs'), name.slice('tfjs-'.length)], env };
    case 'jax-js-wasm':
    case 'jax-js-webgpu':
      return { command: process.execPath, args: [file('jaxjs.mjs'), name.slice('jax-js-'.length)], env };
  }
}

/** These are npm packages of bench/peers/package.json. */
const isPackaged = (name: PeerName): boolean => name.includes('js-');

export interface RunPeerOptions extends PeerOptions {
  /** Whether a peer that is an npm package may be installed when it is not there. Default true. */
  readonly install?: boolean | undefined;
}

/**
 * Runs a peer over the works, in processes of its own. A peer that is absent, unfair or dies before its first result is
 * `missing` with a reason; a work that it cannot do is a skip.
 *
 * @throws AnnealError `E_ABORTED` when the signal stops it.
 */
export async function runPeer(
  name: PeerName,
  works: readonly Work[],
  options: RunPeerOptions,
): Promise<PeerRun<PeerName>> {
  if (isPackaged(name)) {
    const reason = await installPeers(options);
    if (reason !== null) return { peer: name, missing: reason };
  }
  return runPeerProgram(name, program(name, options.threads), works, options);
}
