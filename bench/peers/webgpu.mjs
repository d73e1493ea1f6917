// A `navigator.gpu` for libraries made for browsers. Dawn (the npm package webgpu) needs a driver: the machine's own, or
// SwiftShader, which renders on the CPU and comes with a Vulkan loader inside the npm package @sparticuz/chromium.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { create, globals } from 'webgpu';
import { missing } from './lib.mjs';

const describe = ({ description, device, vendor }) => description || device || vendor || 'unnamed adapter';

/** The folder with SwiftShader and its loader, unpacked once; null where there is none. */
function swiftShader() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'anneal', 'peers', 'swiftshader');
  if (existsSync(folder)) return folder;
  const main = createRequire(import.meta.url).resolve('@sparticuz/chromium');
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

/**
 * Sets the globals of WebGPU and gives the adapter's name. Without a driver the program starts itself once more with
 * SwiftShader, since a loader finds its libraries only at the start of a process.
 */
export async function installWebGpu(request) {
  const gpu = create([]);
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) {
    const folder = process.env.ANNEAL_PEER_SWIFTSHADER ? null : swiftShader();
    if (!folder) missing('no WebGPU adapter: it needs a Vulkan driver, such as Debian’s mesa-vulkan-drivers');
    const env = {
      ...process.env,
      ANNEAL_PEER_SWIFTSHADER: folder,
      LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
      VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
    };
    const { status } = spawnSync(process.execPath, process.argv.slice(1), {
      env,
      input: JSON.stringify(request),
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    process.exit(status ?? 1);
  }
  Object.assign(globalThis, globals);
  const navigator = { gpu, userAgent: 'node', platform: process.platform, hardwareConcurrency: 1 };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  return describe(adapter.info);
}
