// One side's training in a process of its own, and the comparison of two.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { peerEnvironment } from '../../src/bench/peers.js';
import type { Job } from './job.js';

export interface Side {
  readonly name: string;
  readonly version: string;
  readonly detail: string;
  readonly losses: readonly number[];
  /** Of each step, from the host's pixels to the loss on the host. */
  readonly ms: readonly number[];
  /** Resident memory of the process before the first step, with the library, the data and the weights. */
  readonly startMb: number;
  /** The largest. */
  readonly peakMb: number;
  /** The longest that the event loop was late: what a server's requests would wait. */
  readonly loopDelayMs: number;
}

export type SideResult = Side | { readonly name: string; readonly missing: string };

const ours = fileURLToPath(new URL('anneal_train.ts', import.meta.url));
const theirs = fileURLToPath(new URL('../peers/tfjs_train.mjs', import.meta.url));

export const annealCommand = [process.execPath, '--import', 'tsx', ours];
export const tfjsCommand = [process.execPath, theirs, 'train'];

/** Runs a side to its end; `onStep` is called after each step. */
export function runSide(
  name: string,
  [command = '', ...args]: readonly string[],
  job: Job,
  onStep: (step: number) => void = () => {},
): Promise<SideResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: peerEnvironment(job.threads), stdio: ['pipe', 'pipe', 'pipe'] });
    const losses: number[] = [];
    const ms: number[] = [];
    let header = { version: '', detail: '' };
    let end: { startMb: number; peakMb: number; loopDelayMs: number } | null = null;
    let missing: string | null = null;
    let lastWords = '';
    child.once('error', (error) => resolve({ name, missing: error.message }));
    child.stdin.on('error', () => {}); // it ended before it read everything: 'close' says why
    child.stdin.end(JSON.stringify(job));
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.trim() !== '') lastWords = line.trim();
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      try {
        const message = JSON.parse(line);
        if (message.missing) missing = message.missing;
        else if (message.peer) header = message;
        else if (message.done) end = message;
        else {
          losses.push(message.loss);
          ms.push(message.ms);
          onStep(losses.length);
        }
      } catch {
        missing ??= `printed ${line.slice(0, 120)}`;
        child.kill('SIGKILL');
      }
    });
    child.once('close', (code, signal) => {
      if (missing !== null) resolve({ name, missing });
      else if (!end || losses.length !== job.steps)
        resolve({
          name,
          missing: `ended with ${signal ?? `status ${code}`} after ${losses.length} steps: ${lastWords}`,
        });
      else resolve({ name, version: header.version, detail: header.detail, losses, ms, ...end });
    });
  });
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export interface Agreement {
  /** The largest difference of the two losses of a step, and where. */
  readonly largest: number;
  readonly step: number;
  /** The largest within the first ten steps. */
  readonly early: number;
  readonly agree: boolean;
}

/**
 * Whether two loss curves are of the same training. Both sum in float32 in another order, which changes a loss by some 1e-7;
 * training can let such a difference grow, so the first ten steps must agree to `early` and all to `late`.
 */
export function compareLosses(
  a: readonly number[],
  b: readonly number[],
  { early, late }: { readonly early: number; readonly late: number } = { early: 1e-5, late: 1e-2 },
): Agreement {
  const differences = a.map((loss, i) => Math.abs(loss - (b[i] ?? Number.NaN)));
  const largest = Math.max(...differences);
  const first = Math.max(...differences.slice(0, 10));
  return {
    largest,
    step: differences.indexOf(largest),
    early: first,
    agree: a.length === b.length && a.length > 0 && first <= early && largest <= late,
  };
}
