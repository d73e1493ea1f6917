/** The runs below a folder, as they are and as they come. Nothing is followed out of the folder. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AnnealError, reasonOf } from '../../errors.js';
import { metricsFile } from '../run.js';
import { LiveRun } from './live_run.js';

/** Folders below that of all runs in which runs are looked for. */
const maxDepth = 5;
const maxRuns = 2000;

export class RunsFolder {
  readonly runs = new Map<string, LiveRun>();

  private constructor(readonly root: string) {}

  /** @throws AnnealError E_IO when there is no such folder. */
  static async open(folder: string): Promise<RunsFolder> {
    let root: string;
    try {
      root = await realpath(folder);
      if (!(await stat(root)).isDirectory()) throw new Error('it is no folder');
    } catch (cause) {
      throw new AnnealError('E_IO', `dashboard: expected a folder of runs, received ${folder} (${reasonOf(cause)})`, {
        cause,
      });
    }
    const runs = new RunsFolder(root);
    await runs.refresh();
    return runs;
  }

  /** Looks again; gives the runs that are new or have news, and the ids of those that are gone. */
  async refresh(): Promise<{ changed: LiveRun[]; removed: string[] }> {
    const found = await this.find();
    const removed = [...this.runs.keys()].filter((id) => !found.has(id));
    for (const id of removed) this.runs.delete(id);
    const changed: LiveRun[] = [];
    for (const [id, folder] of found) {
      const known = this.runs.get(id);
      const run = known ?? new LiveRun(id, folder);
      // A folder on the way may have become a link meanwhile.
      if ((await realpath(folder).catch(() => '')) !== folder) continue;
      const news = await run.refresh();
      this.runs.set(id, run);
      if (news || known === undefined) changed.push(run);
    }
    return { changed, removed };
  }

  /** The folders that hold a log, by id. Links are none: Dirent says of them neither that they are folders nor files. */
  private async find(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const look = async (folder: string, depth: number): Promise<void> => {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      if (entries.some((entry) => entry.name === metricsFile && entry.isFile())) {
        found.set(relative(this.root, folder).split(sep).join('/') || '.', folder);
      }
      if (depth >= maxDepth) return;
      const folders = entries.filter(
        (entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
      );
      for (const { name } of folders) {
        if (found.size < maxRuns) await look(join(folder, name), depth + 1);
      }
    };
    await look(this.root, 0);
    return found;
  }
}
