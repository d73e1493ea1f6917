// `anneal dashboard`: a local page with the curves of all runs in a folder.
import { relative, resolve } from 'node:path';
import { AnnealError } from '../errors.js';
import { Dashboard } from '../report/dashboard/server.js';

/** Tried first where no port is asked for, so that the address stays the same. */
const usualPort = 7007;

export interface DashboardCommandOptions {
  readonly port?: number;
}

/** Serves until Ctrl-C; gives the exit code. @throws AnnealError E_IO */
export async function dashboard(folder: string, options: DashboardCommandOptions): Promise<number> {
  const started = await start(folder, options.port);
  await using server = started;
  const count = server.runCount;
  const shown = relative(process.cwd(), resolve(folder)) || '.';
  console.log(`Dashboard of ${shown} (${count} run${count === 1 ? '' : 's'}): ${server.url}`);
  console.log('Runs appear as they begin. Ctrl-C ends it.');
  await new Promise<void>((stop) => {
    process.once('SIGINT', () => stop());
    process.once('SIGTERM', () => stop());
  });
  return 0;
}

async function start(folder: string, port: number | undefined): Promise<Dashboard> {
  if (port !== undefined) return Dashboard.start(folder, { port });
  try {
    return await Dashboard.start(folder, { port: usualPort });
  } catch (error) {
    const { cause } = error instanceof AnnealError ? error : { cause: undefined };
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw error;
    return Dashboard.start(folder);
  }
}
