// `anneal compare SCRIPT`: records the ops of a script, replays each on two devices from the same operands, and names the first one
// that they disagree on.
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareRecording } from '../compare/compare.js';
import { RECORD_VARIABLE, type RecordRequest } from '../compare/recording.js';
import { type Target, targetOf } from '../compare/target.js';
import { AnnealError } from '../errors.js';
import { checkScript, runScript } from './script.js';

export interface CompareCommandOptions {
  readonly devices: string;
  readonly ops: number;
  /** Only this op of a recording. */
  readonly op?: number;
  /** Where the recording is kept, for `--op`. */
  readonly out: string;
}

async function targets(devices: string): Promise<[Target, Target]> {
  const [a, b, ...more] = devices.split(',').map((name) => name.trim());
  if (!a || !b || more.length > 0)
    throw new AnnealError('E_ARGUMENT', `compare: expected two devices, as in cpu,webgpu, received '${devices}'`);
  return [await targetOf(a), await targetOf(b)];
}

async function compareFile(file: string, { devices, op }: CompareCommandOptions, kept: string): Promise<number> {
  const both = await targets(devices);
  const { ops, found } = await compareRecording(file, both, op === undefined ? {} : { only: op });
  if (ops === 0) {
    console.error('compare: nothing to compare: the script ran no op on the CPU');
    return 1;
  }
  if (found === null) {
    console.log(`${ops} ops agree on ${both.map(({ name }) => name).join(' and ')}`);
    return 0;
  }
  console.log(`op ${found.index}, ${found.what}: ${found.where}`);
  console.log(`again: npx anneal compare ${kept} --devices ${devices} --op ${found.index}`);
  return 1;
}

/** Gives 0 where the devices agree, else 1. `script` may also be a recording. @throws E_IO, E_ARGUMENT, E_DEVICE */
export async function compareScript(
  script: string,
  args: readonly string[],
  options: CompareCommandOptions,
): Promise<number> {
  if (script.endsWith('.ops')) return compareFile(script, options, script);
  checkScript('compare', script);
  const folder = mkdtempSync(join(tmpdir(), 'anneal-compare-'));
  try {
    const file = join(folder, 'recording.ops');
    const request: RecordRequest = { file, ops: options.ops };
    const code = await runScript(script, args, { [RECORD_VARIABLE]: JSON.stringify(request) });
    if (!existsSync(file)) {
      console.error(`compare: ${script} ended without anything to tell: it did not import anneal`);
      return code === 0 ? 1 : code;
    }
    const status = await compareFile(file, options, options.out);
    if (status !== 0) copyFileSync(file, options.out);
    return status;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
