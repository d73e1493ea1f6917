// The WGSL text of the kernels, as src/device.ts reads it.
import { readFileSync } from 'node:fs';

export function kernelText(path: string): string {
  return readFileSync(new URL(`../../kernels/${path}`, import.meta.url), 'utf8');
}
