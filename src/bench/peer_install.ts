// The peers that are npm packages: bench/peers/package.json, installed there on first use and never with the library.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnnealError } from '../errors.js';

/** The folder of the programs: beside src/ in the repository, beside dist/ in the package. */
export const peersFolder = fileURLToPath(new URL('../../bench/peers', import.meta.url));

interface InstallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly install?: boolean | undefined;
}

function read(path: string): { version?: string; dependencies?: Record<string, string> } | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Names of what is not there in the exact version that package.json asks for. */
function absent(): string[] {
  const wanted = Object.entries(read(join(peersFolder, 'package.json'))?.dependencies ?? {});
  const found = (name: string) => read(join(peersFolder, 'node_modules', name, 'package.json'))?.version;
  return wanted.filter(([name, version]) => found(name) !== version).map(([name]) => name);
}

/** Under `npm run` the settings of that run would send a nested npm to the outer package. */
function npmEnvironment(): NodeJS.ProcessEnv {
  const outer = /^npm_(package|lifecycle|config_(local_)?prefix)|^INIT_CWD$|^NODE_OPTIONS$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !outer.test(name)));
}

/**
 * Installs the packages unless they are there. Gives null, or the reason why they are not.
 *
 * @throws AnnealError `E_ABORTED` when the signal stops it.
 */
export async function installPeers({ signal, onProgress, install = true }: InstallOptions): Promise<string | null> {
  const names = absent();
  if (names.length === 0) return null;
  if (!install) return `${names.join(', ')} not installed in ${peersFolder}`;
  const print = onProgress ?? console.error;
  print(`installing ${names.join(', ')} in ${peersFolder} (about 550 MB)`);
  // No scripts: none of these packages needs one.
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--prefix', peersFolder];
  const npmScript = process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : null;
  const [command, first] = npmScript ? [process.execPath, [npmScript]] : ['npm', []];
  const failure = await new Promise<string | null>((done) => {
    let lastWords = '';
    const child = spawn(command, [...first, ...args], {
      cwd: peersFolder,
      env: npmEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
      signal,
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastWords =
        text
          .trim()
          .split('\n')
          .findLast((line) => /error/i.test(line)) ?? lastWords;
    });
    child.once('error', (error) => done(error.message));
    child.once('close', (code) => done(code === 0 ? null : lastWords || `status ${code}`));
  });
  if (signal?.aborted) throw new AnnealError('E_ABORTED', 'npm install of the peers: stopped');
  return failure === null ? null : `npm install in ${peersFolder} failed: ${failure}`;
}
