// SwiftShader renders on the CPU and comes with a Vulkan loader inside the npm package @sparticuz/chromium: with it, WebGPU needs
// no package of the system.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/**
 * The folder with SwiftShader and its loader, unpacked once; null where there is none.
 *
 * @param {NodeRequire} require from where the package is found
 */
function unpacked(require) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'anneal', 'swiftshader');
  if (existsSync(folder)) return folder;
  let main;
  try {
    main = require.resolve('@sparticuz/chromium');
  } catch {
    return null;
  }
  const packed = main.slice(0, main.lastIndexOf('chromium') + 'chromium'.length);
  const archive = join(packed, 'bin', 'swiftshader.tar.br');
  if (!existsSync(archive)) return null;
  const partial = `${folder}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  const tar = join(partial, 'swiftshader.tar');
  writeFileSync(tar, brotliDecompressSync(readFileSync(archive)));
  execFileSync('tar', ['xf', tar, '-C', partial]);
  mkdirSync(dirname(folder), { recursive: true });
  renameSync(partial, folder);
  return folder;
}

/** The environment in which a process finds it, or null: a loader finds its libraries only at the start of a process. */
export function swiftShaderEnvironment(require) {
  const folder = unpacked(require);
  if (folder === null) return null;
  return {
    LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
    VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
  };
}
