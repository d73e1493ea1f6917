// Training op by op, then captured, each in a profile or without one: run by ranges.test.ts.
import { device, optim, profile, train } from '../../src/index.js';
import { blobs, mlp } from '../support/blobs.js';

const profiled = process.argv[2] === 'profile';
await device.request('cuda');
device.setDevice('cuda');
const data = blobs(32, 1).batch(8);
for (const capture of [false, true]) {
  const work = () => train.fit(mlp(), { data, epochs: 1, optimizer: optim.sgd({ lr: 0.1 }), seed: 1, capture }).result;
  if (profiled) await profile(work, { limits: false });
  else await work();
}
