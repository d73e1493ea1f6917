// `anneal profile SCRIPT`: runs a script in a process of its own, watches what its ops do, writes a trace and prints a table.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { deserialize } from 'node:v8';
import { AnnealError } from '../errors.js';
import { PROFILE_VARIABLE, type ProfileRequest } from '../profile/environment.js';
import { measureRates } from '../profile/limits.js';
import { Profile } from '../profile/profile.js';
import type { ProfileRecording } from '../profile/recording.js';
import { checkEvents } from '../profile/session.js';

export interface ProfileCommandOptions {
  readonly out: string;
  readonly events: number;
  readonly limits: boolean;
  readonly by: 'op' | 'shape';
}

/** TypeScript needs a Node.js that strips types, or a loader that was asked for. */
function checkScript(script: string): void {
  if (!existsSync(script)) throw new AnnealError('E_IO', `profile: expected a script, found no file ${script}`);
  if (!['.ts', '.mts', '.cts'].includes(extname(script))) return;
  const loads = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) =>
    /import|require|loader|strip-types/.test(text),
  );
  if (loads || ('typescript' in process.features && process.features.typescript)) return;
  throw new AnnealError(
    'E_ARGUMENT',
    `profile: expected a script that Node.js ${process.version} can run, received ${script}: ` +
      'compile it, or set NODE_OPTIONS="--import tsx"',
  );
}

/** Runs the script to its end, on this terminal, and gives its exit code. */
function runScript(script: string, args: readonly string[], request: ProfileRequest): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, [PROFILE_VARIABLE]: JSON.stringify(request) },
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

function readRecording(file: string, script: string): ProfileRecording | null {
  if (!existsSync(file)) {
    console.error(`profile: ${script} ended without anything to tell: it did not import anneal, or was killed`);
    return null;
  }
  return deserialize(readFileSync(file));
}

/** Gives the script's exit code; 1 where there is nothing to tell. @throws E_IO, E_ARGUMENT */
export async function profileScript(
  script: string,
  args: readonly string[],
  { out, events, limits, by }: ProfileCommandOptions,
): Promise<number> {
  checkEvents(events);
  checkScript(script);
  const folder = mkdtempSync(join(tmpdir(), 'anneal-profile-'));
  try {
    const file = join(folder, 'recording');
    const code = await runScript(script, args, { file, events });
    const recording = readRecording(file, script);
    if (recording === null) return code === 0 ? 1 : code;
    const seen = new Profile(code, recording, limits ? await measureRates(recording) : null);
    await seen.write(out);
    console.log(`\n${seen.tableBy(by)}\n\nTrace ${out} (open it at https://ui.perfetto.dev or chrome://tracing)`);
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
