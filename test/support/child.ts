// Scripts of tests in a process of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface ChildResult {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly nodeArgs?: readonly string[];
  /** Called as soon as it runs, and with what it has printed so far each time it prints. */
  readonly onOutput?: (child: ChildProcess, output: { readonly stdout: string; readonly stderr: string }) => void;
  /** Milliseconds until it is killed. Default two minutes. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether Node.js is given tsx, to read TypeScript. Default true. */
  readonly tsx?: boolean;
  /** In a process group of its own, so that a signal can be sent to it and to what it starts. */
  readonly group?: boolean;
}

/** Runs a TypeScript file, given from the repository's root, and waits for its end. */
export function runChild(path: string, args: readonly string[] = [], options: ChildOptions = {}): Promise<ChildResult> {
  const { nodeArgs = [], onOutput, timeout = 120_000, group = false, env = {}, tsx = true } = options;
  const child = spawn(process.execPath, [...(tsx ? ['--import', 'tsx'] : []), ...nodeArgs, path, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout,
    killSignal: 'SIGKILL',
    detached: group,
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      onOutput?.(child, output);
    });
  }
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code, signal) => done({ code, signal, ...output }));
  });
}
