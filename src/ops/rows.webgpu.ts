// How ops on the rows of a matrix run on WebGPU: a thread or a workgroup a row (kernels/common/rows.wgsl).
import { type AdapterTraits, groupF32Texts, groupsFor, type Launch } from '../backend/webgpu/kernel.js';

export const rowsTexts = [...groupF32Texts, 'common/rows.wgsl'];

/** Threads of a workgroup where each has a row of its own: in software few, so that there are workgroups for all cores. */
const SOFTWARE_ROWS = 8;
const ROWS = 64;

/** From so many columns a workgroup takes a row: each lane of 64 then has an item. */
const GROUP_COLUMNS = 64;

/** A launch over rows. A thread a row in software, without barriers. */
export function rowsLaunch(
  name: string,
  { rows, cols }: { readonly rows: number; readonly cols: number },
  { adapter, aligned }: { readonly adapter: AdapterTraits; readonly aligned: boolean },
  constants: Readonly<Record<string, number | boolean>> = {},
): Launch {
  const vectors = aligned && cols % 4 === 0;
  const threads = adapter.software ? SOFTWARE_ROWS : ROWS;
  const all = { ...constants, THREADS: threads };
  if (!adapter.software && cols >= GROUP_COLUMNS)
    return { entry: `${name}_group`, groups: groupsFor(rows, 1), constants: all, vectors };
  return { entry: `${name}_thread`, groups: groupsFor(rows, threads), constants: all, vectors };
}
