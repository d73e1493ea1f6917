// `anneal profile SCRIPT`: runs a script in a process of its own, watches what its ops do, writes a trace and prints a table.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize } from 'node:v8';
import { PROFILE_VARIABLE, type ProfileRequest } from '../profile/environment.js';
import { measureRates } from '../profile/limits.js';
import { Profile } from '../profile/profile.js';
import type { ProfileRecording } from '../profile/recording.js';
import { checkEvents } from '../profile/session.js';
import { checkScript, runScript } from './script.js';

export interface ProfileCommandOptions {
  readonly out: string;
  readonly events: number;
  readonly limits: boolean;
  readonly by: 'op' | 'shape';
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
  checkScript('profile', script);
  const folder = mkdtempSync(join(tmpdir(), 'anneal-profile-'));
  try {
    const file = join(folder, 'recording');
    const request: ProfileRequest = { file, events };
    const code = await runScript(script, args, { [PROFILE_VARIABLE]: JSON.stringify(request) });
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
