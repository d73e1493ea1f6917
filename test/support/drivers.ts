// The drivers that WebGPU is tested on, each of which a process finds only at its start: SwiftShader, from the npm package that
// `npm test` installs in test/drivers, and Mesa's lavapipe where it is installed and new enough.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { swiftShaderEnvironment } from '../../bench/peers/swiftshader.mjs';
import { root } from './child.js';

export interface Driver {
  readonly name: 'swiftshader' | 'lavapipe';
  /** Added to the environment of a process that is to use it. */
  readonly env: Readonly<Record<string, string>> | null;
  /** Why it is not there. */
  readonly missing: string;
}

const LAVAPIPE = ['lvp_icd.x86_64.json', 'lvp_icd.aarch64.json', 'lvp_icd.json'].map(
  (name) => `/usr/share/vulkan/icd.d/${name}`,
);

function lavapipe(): Driver {
  const icd = LAVAPIPE.find((path) => existsSync(path));
  if (icd === undefined) return { name: 'lavapipe', env: null, missing: 'mesa-vulkan-drivers is not installed' };
  const env = { VK_ICD_FILENAMES: icd };
  const probe = "const { create } = await import('webgpu'); process.exit((await create([]).requestAdapter()) ? 0 : 1)";
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  if (status === 0) return { name: 'lavapipe', env, missing: '' };
  return { name: 'lavapipe', env: null, missing: 'Dawn refuses the Mesa installed here: it takes 23 or later' };
}

/** Both, whether they are there or not. */
export function drivers(): readonly Driver[] {
  const found = swiftShaderEnvironment(createRequire(new URL('../drivers/package.json', import.meta.url)));
  return [{ name: 'swiftshader', env: found, missing: 'test/drivers is not installed: npm test does' }, lavapipe()];
}
