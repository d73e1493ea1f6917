// The kernels as they are shipped, on operands next to pages that cannot be touched.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, runProgram, withFolder } from '../support.js';
import { writeNativeCases } from './cases.js';
import { build, isas, unless } from './driver.js';

test('kernels as they are shipped touch no byte beyond their operands', { skip: unless('cmake') }, async () => {
  // The addon's own objects, where CMake built it.
  const shipped = existsSync(join(root, 'build', 'cmake', 'CMakeCache.txt'));
  const folder = await build(
    shipped ? 'cmake' : 'native-pages',
    ['anneal_conformance'],
    shipped ? [] : ['-DANNEAL_ADDON=OFF'],
  );
  const program = join(folder, 'anneal_conformance');
  await withFolder(async (files) => {
    const path = join(files, 'cases.bin');
    const { cases } = writeNativeCases(path, 'every', ['random']);
    const printed = await runProgram(program, ['--pages', path, ...isas]);
    // Each case twice: its operands end right before such a page, and begin right after one.
    assert.ok(`\n${printed}`.endsWith(`\n${2 * cases * isas.length} cases, 0 failed\n`), printed);
    // The driver must see a read that is there: one byte past each operand, or one before it.
    const few = writeNativeCases(path, 'first').cases;
    for (const [planted, where] of [
      ['planted-read-past', 'operands end at a page'],
      ['planted-read-before', 'operands begin after a page'],
    ]) {
      await assert.rejects(runProgram(program, ['--pages', path, String(planted)]), (error: Error) => {
        const seen = error.message.split('\n').filter((line) => line.includes(`${where}: ended by signal`));
        assert.equal(seen.length, few, error.message);
        return true;
      });
    }
  });
});
