// The cubins that the build made: build/cmake/cuda/<file>.sm_<capability>.cubin.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/package_root.js';
import { type CubinKernel, readCubin } from './cubin.js';

export interface CubinFile {
  /** The .cu it was made of. */
  readonly file: string;
  readonly capability: number;
  readonly kernels: readonly CubinKernel[];
}

/** None without nvcc. */
export function cubinsOfBuild(): CubinFile[] {
  const folder = join(packageRoot(), 'build', 'cmake', 'cuda');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const [, file, capability] = /^(.+)\.sm_(\d+)\.cubin$/.exec(name) ?? [];
      return file === undefined ? [] : [{ name, file, capability: Number(capability) }];
    })
    .sort((a, b) => a.file.localeCompare(b.file) || a.capability - b.capability)
    .map(({ name, file, capability }) => ({
      file,
      capability,
      kernels: readCubin(readFileSync(join(folder, name)), capability),
    }));
}

/** What a launch asks for besides: matrix units' kernels, by how their operands lie (kernels/common/product_parts.cuda.h). */
export function dynamicSharedBytes(file: string, kernel: string): number {
  if (!file.endsWith('_tensor')) return 0;
  const floats = (along: boolean): number => (along ? 16 * 136 : 128 * 20);
  const [a, b] = /^(t.|weight)_/.test(kernel) ? [true, !/^.t_/.test(kernel)] : [false, /^(nn|forward)_/.test(kernel)];
  return 16 * (floats(a) + floats(b));
}
