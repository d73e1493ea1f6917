// What npm test installs in test/tools, for tests that compare with other people's programs.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './child.js';

/** A require that finds the packages of test/tools; null where they are not installed. */
export const toolRequire: NodeJS.Require | null = existsSync(join(root, 'test/tools/node_modules/.package-lock.json'))
  ? createRequire(join(root, 'test/tools/package.json'))
  : null;

export const toolsMissing = 'test/tools is not installed: npm test does';
