// Sizes of the caches, as Linux tells them.
import { readdirSync, readFileSync } from 'node:fs';
import type { CacheSizes } from './roofline.js';

/** Where the system says nothing (virtual machines often): rather too large, so that a limit is rather too generous. */
const unknown: CacheSizes = { l1: 64 << 10, l2: 2 << 20, l3: 64 << 20 };

const units: Readonly<Record<string, number>> = { K: 1 << 10, M: 1 << 20 };

/** The caches of the first core. */
export function cacheSizes(folder = '/sys/devices/system/cpu/cpu0/cache'): CacheSizes {
  const sizes: { -readonly [K in keyof CacheSizes]: number } = { ...unknown };
  try {
    for (const index of readdirSync(folder).filter((name) => name.startsWith('index'))) {
      const read = (name: string): string => readFileSync(`${folder}/${index}/${name}`, 'utf8').trim();
      const [, digits = '', unit = ''] = /^(\d+)([KM]?)$/.exec(read('size')) ?? [];
      const bytes = Number(digits) * (units[unit] ?? 1);
      const level = Number(read('level'));
      if (read('type') === 'Instruction' || !(bytes > 0)) continue;
      if (level === 1) sizes.l1 = bytes;
      else if (level === 2) sizes.l2 = bytes;
      else if (level === 3) sizes.l3 = bytes;
    }
  } catch {
    return unknown;
  }
  return sizes;
}
