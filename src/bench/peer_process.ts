// Runs one peer's program and reads what it prints, a JSON object a line (bench/peers/README.md has the protocol).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AnnealError } from '../errors.js';
import type { Work } from './works.js';

/** Milliseconds of one execution, as the peer measured them. */
export interface PeerFigures {
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  readonly samples: number;
  /** Which of several ways to do the work was the fastest, e.g. `nhwc` or `foreach`. */
  readonly note?: string;
  /** Median of each of these ways in a short trial, ms. */
  readonly variants?: Readonly<Record<string, number>>;
}

export type PeerResult = PeerFigures | { readonly skip: string };

export type PeerRun<Name extends string = string> =
  | {
      readonly peer: Name;
      readonly version: string;
      readonly detail: string;
      /** By the work's name; every work asked for is there. */
      readonly results: ReadonlyMap<string, PeerResult>;
    }
  | { readonly peer: Name; readonly missing: string };

export interface PeerProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface PeerOptions {
  readonly threads: number;
  readonly seed: number;
  /** Time for the samples of one work, ms. */
  readonly budgetMs: number;
  /** A device that is not the CPU, and what its products compute in. */
  readonly device?: string | undefined;
  readonly precision?: string | undefined;
  /** Ends the peer; the run rejects with `E_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Called with each result as it comes. */
  readonly onResult?: ((work: string, result: PeerResult) => void) | undefined;
  /** Called with each line of the peer's progress. */
  readonly onProgress?: ((line: string) => void) | undefined;
  /** The longest time without a line, ms: a peer that says nothing for longer is ended. */
  readonly silenceMs?: number | undefined;
}

type Message =
  | { readonly kind: 'header'; readonly version: string; readonly detail: string }
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'result'; readonly work: string; readonly result: PeerResult };

const isTime = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x) && x > 0;

/** Reads one line of a peer's output, null when it is nothing of the protocol. */
export function parsePeerLine(line: string): Message | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>;
  const { peer, version, detail, missing, work, skip, msMedian, msMin, msMax, samples, note, variants } = fields;
  if (typeof missing === 'string') return { kind: 'missing', reason: missing };
  if (typeof peer === 'string' && typeof version === 'string' && typeof detail === 'string')
    return { kind: 'header', version, detail };
  if (typeof work !== 'string') return null;
  if (typeof skip === 'string') return { kind: 'result', work, result: { skip } };
  if (!isTime(msMedian) || !isTime(msMin) || !isTime(msMax) || msMin > msMedian || msMedian > msMax) return null;
  if (!Number.isInteger(samples) || (samples as number) < 1) return null;
  if (note !== undefined && typeof note !== 'string') return null;
  const ways = typeof variants === 'object' && variants !== null ? Object.entries(variants) : [];
  if (!ways.every((entry): entry is [string, number] => isTime(entry[1]))) return null;
  return {
    kind: 'result',
    work,
    result: {
      msMedian,
      msMin,
      msMax,
      samples: samples as number,
      ...(note === undefined ? {} : { note }),
      ...(ways.length === 0 ? {} : { variants: Object.fromEntries(ways) }),
    },
  };
}

/** Runs the program over the works. A peer that fails on the way keeps its results; the rest is skipped with the reason. */
export function runPeerProgram<Name extends string>(
  peer: Name,
  { command, args, env }: PeerProgram,
  works: readonly Work[],
  options: PeerOptions,
): Promise<PeerRun<Name>> {
  const { threads, seed, budgetMs, device, precision, signal, onResult, onProgress, silenceMs = 180_000 } = options;
  if (signal?.aborted) return Promise.reject(new AnnealError('E_ABORTED', `${peer}: stopped`));
  return new Promise((resolve, reject) => {
    // A group of its own, so that what the program starts ends with it.
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    let failure: string | null = null;
    let header: { version: string; detail: string } | null = null;
    let missing: string | null = null;
    let lastWords = '';
    let settled = false;
    const asked = new Set(works.map(({ work }) => work));
    const results = new Map<string, PeerResult>();

    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    };
    const fail = (reason: string): void => {
      failure ??= reason;
      kill();
    };
    const onSilence = (): void => fail(`gave no result for ${Math.round(silenceMs / 1e3)} s`);
    let timer = setTimeout(onSilence, silenceMs);
    const heard = (): void => {
      clearTimeout(timer);
      if (!settled) timer = setTimeout(onSilence, silenceMs);
    };
    const accept = (work: string, result: PeerResult): void => {
      results.set(work, result);
      onResult?.(work, result);
    };
    const outcome = (ended: string | null): PeerRun<Name> => {
      if (missing !== null) return { peer, missing };
      const reason = failure ?? ended ?? 'ended without a result';
      if (!header) return { peer, missing: reason };
      for (const work of asked) if (!results.has(work)) accept(work, { skip: reason });
      return { peer, ...header, results };
    };
    const finish = (ended: string | null): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      process.removeListener('exit', kill);
      signal?.removeEventListener('abort', kill);
      if (signal?.aborted) reject(new AnnealError('E_ABORTED', `${peer}: stopped`));
      else resolve(outcome(ended));
    };

    process.once('exit', kill);
    signal?.addEventListener('abort', kill, { once: true });
    child.once('error', (error: NodeJS.ErrnoException) =>
      finish(error.code === 'ENOENT' ? `no ${command} on this machine` : error.message),
    );
    child.stdin.on('error', () => {}); // it ended before it read everything: 'close' says why
    child.stdin.end(JSON.stringify({ threads, seed, budgetMs, works, device, precision }));
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.trim() !== '') lastWords = line.trim();
      onProgress?.(line);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (failure !== null || line.trim() === '') return;
      heard();
      const message = parsePeerLine(line);
      if (message?.kind === 'missing') missing = message.reason;
      else if (message?.kind === 'header' && !header) header = { version: message.version, detail: message.detail };
      else if (message?.kind === 'result' && header && asked.has(message.work) && !results.has(message.work))
        accept(message.work, message.result);
      else fail(`printed what is not a result: ${line.slice(0, 80)}`);
    });
    child.once('close', (code, end) => {
      if (code === 0) finish(null);
      else finish(`ended with ${end ?? `status ${code}`}${lastWords ? `: ${lastWords.slice(0, 200)}` : ''}`);
    });
  });
}
