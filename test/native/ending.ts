// Run by workers.test.ts: starts work and comes to its end without waiting.
import { writeSync } from 'node:fs';
import { ones } from '../../src/ops/creation.js';
import { matmul } from '../../src/ops/index.js';

const say = (text: string): void => void writeSync(1, `${text}\n`);

const x = ones([1024, 1024]);
let y = matmul(x, x);
for (let i = 0; i < 20; i++) y = matmul(x, x);
say('started');
const [, , mode] = process.argv;
if (mode === 'pending') {
  y.data().then((values) => say(`resolved ${values[0]}`));
}
if (mode === 'exit') process.exit(3);
