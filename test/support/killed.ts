// Programs that are killed in the middle, and what they printed until then.
import { spawn } from 'node:child_process';
import { root } from './child.js';

export interface Killed {
  readonly output: string;
  /** Whether it was killed before its end. */
  readonly killed: boolean;
}

/** Runs a program to its end, or until it has printed a number of lines that match, and some milliseconds more. */
export function runUntil(
  args: readonly string[],
  pattern: RegExp,
  lines = Number.POSITIVE_INFINITY,
  milliseconds = 0,
): Promise<Killed> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.split('\n').filter((line) => pattern.test(line)).length >= lines)
        setTimeout(() => child.kill('SIGKILL'), milliseconds);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve({ output, killed: true });
      else if (code === 0) resolve({ output, killed: false });
      else reject(new Error(`it ended with ${code}`));
    });
  });
}
