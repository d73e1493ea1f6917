// A `navigator.gpu` for libraries made for browsers. Dawn (the npm package webgpu) needs a driver: the machine's own, or
// SwiftShader.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { create, globals } from 'webgpu';
import { missing } from './lib.mjs';
import { swiftShaderEnvironment } from './swiftshader.mjs';

const describe = ({ description, device, vendor }) => description || device || vendor || 'unnamed adapter';

/**
 * Sets the globals of WebGPU and gives the adapter's name. Without a driver the program starts itself once more with
 * SwiftShader, since a loader finds its libraries only at the start of a process.
 */
export async function installWebGpu(request) {
  const gpu = create([]);
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) {
    const found = process.env.ANNEAL_PEER_SWIFTSHADER ? null : swiftShaderEnvironment(createRequire(import.meta.url));
    if (!found) missing('no WebGPU adapter: it needs a Vulkan driver, such as Debian’s mesa-vulkan-drivers');
    const env = { ...process.env, ...found, ANNEAL_PEER_SWIFTSHADER: '1' };
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
