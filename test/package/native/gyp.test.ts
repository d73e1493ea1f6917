// The addon built by npm install from the tarball, on a machine without CMake.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { checkConsumers, newProject } from '../consumer.js';
import { pack, slow, userEnvironment, withFolder } from '../support.js';

// A PATH with every program of the real one but CMake.
async function pathWithout(folder: string, hidden: readonly string[]): Promise<string> {
  const shadow = join(folder, 'bin');
  await mkdir(shadow);
  const seen = new Set<string>();
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    let names: string[] = [];
    try {
      names = readdirSync(dir);
    } catch {
      continue;
    }
    for (const name of names) {
      if (hidden.includes(name) || seen.has(name)) continue;
      seen.add(name);
      await symlink(join(dir, name), join(shadow, name));
    }
  }
  return shadow;
}

test('npm install builds the addon from the tarball without CMake', { skip: slow }, async () => {
  await withFolder(async (folder) => {
    const tarball = await pack(folder);
    // Other tests hold what -O3 makes of the kernels; here it would take most of the time.
    const env = userEnvironment({ PATH: await pathWithout(folder, ['cmake', 'cmake3']), CXXFLAGS: '-O0' });
    const project = await newProject(folder, tarball, env);
    const stamp = await readFile(join(project, 'node_modules', 'anneal', 'build', 'addon.json'), 'utf8');
    assert.equal(JSON.parse(stamp).tool, 'gyp');
    await checkConsumers(project);
  });
});
