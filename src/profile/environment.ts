// How `anneal profile SCRIPT` reaches into the script's process: an environment variable says where the recording goes, and
// the library, when the script imports it, starts at once and writes at the process's end. So it is the script's own copy
// of the library that watches, whether imported or required. The command makes trace and table of it.
import { writeFileSync } from 'node:fs';
import { serialize } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { isProfiling, ProfileSession } from './session.js';

/** The variable's name; its value is JSON. */
export const PROFILE_VARIABLE = 'ANNEAL_PROFILE';

export interface ProfileRequest {
  /** Where the recording goes. */
  readonly file: string;
  readonly events: number;
}

/** Shell convention: 128 + the signal's number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Starts a profile of the whole process, if the environment asks for one. */
export function profileByEnvironment(): void {
  const request = process.env[PROFILE_VARIABLE];
  // A worker has a device of its own, which nobody asked for.
  if (request === undefined || !isMainThread || isProfiling()) return;
  // Processes that this one starts are not meant.
  delete process.env[PROFILE_VARIABLE];
  const { file, events }: ProfileRequest = JSON.parse(request);
  const session = new ProfileSession(events);
  process.once('exit', () => writeFileSync(file, serialize(session.stop())));
  for (const [signal, code] of Object.entries(SIGNALS)) {
    // A signal ends a process without an 'exit', unless somebody listens; a script that does so itself is left to it.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code);
    });
  }
}
