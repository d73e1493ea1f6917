import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** For `test(name, { skip: slow }, ...)`: the reason for which a test of minutes is skipped, or false. */
export const slow = process.env.ANNEAL_TEST_SLOW === '1' ? false : 'slow: runs with ANNEAL_TEST_SLOW=1';

export function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)));
}

const exec = promisify(execFile);

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
}

/** Runs a program and gives its standard output; a failure's message has everything it printed. */
export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  try {
    const { stdout } = await exec(program, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? 1_800_000, // slow tests get only the processor time that others leave
      maxBuffer: 2 ** 28,
    });
    return stdout;
  } catch (error) {
    const printed = error instanceof Error && 'stdout' in error && 'stderr' in error ? error : undefined;
    throw new Error(`${program} ${args.join(' ')} failed:\n${printed?.stdout ?? error}\n${printed?.stderr ?? ''}`);
  }
}

export const runNode = (args: readonly string[], options: RunOptions = {}) =>
  runProgram(process.execPath, args, options);

/** A new folder outside the repository, removed when `body` ends. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'anneal-package-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The environment of a user's shell: without what the npm that runs these tests put there. */
export function userEnvironment(changes: Record<string, string> = {}): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|command|execpath)/.test(name) && !name.startsWith('NODE_TEST'),
  );
  return { ...Object.fromEntries(entries), ...changes };
}

/** Packs the repository as `npm publish` would; dist/ is up to date when the tests run. Gives the tarball's path. */
export async function pack(folder: string): Promise<string> {
  const args = ['pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`];
  const packed: { filename: string }[] = JSON.parse(await runProgram('npm', args));
  return join(folder, packed[0]!.filename);
}
