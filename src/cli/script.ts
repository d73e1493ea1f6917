// Runs a user's script in a process of its own, which an environment variable tells to watch itself.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { extname } from 'node:path';
import { AnnealError } from '../errors.js';

/** TypeScript needs a Node.js that strips types, or a loader that was asked for. @throws E_IO, E_ARGUMENT */
export function checkScript(command: string, script: string): void {
  if (!existsSync(script)) throw new AnnealError('E_IO', `${command}: expected a script, found no file ${script}`);
  if (!['.ts', '.mts', '.cts'].includes(extname(script))) return;
  const loads = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) =>
    /import|require|loader|strip-types/.test(text),
  );
  if (loads || ('typescript' in process.features && process.features.typescript)) return;
  throw new AnnealError(
    'E_ARGUMENT',
    `${command}: expected a script that Node.js ${process.version} can run, received ${script}: ` +
      'compile it, or install tsx and set NODE_OPTIONS="--import tsx"',
  );
}

/** Runs the script to its end, on this terminal, and gives its exit code. */
export function runScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  // Ctrl-C reaches the script as well: it ends, and what it wrote is told here. Other signals reach only this process.
  const ignore = (): void => undefined;
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', ignore);
  process.on('SIGTERM', forward);
  return new Promise<number>((done, failed) => {
    child.once('error', failed);
    child.once('close', (code, signal) => done(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  }).finally(() => {
    process.off('SIGINT', ignore);
    process.off('SIGTERM', forward);
  });
}
