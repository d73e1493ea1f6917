// What a worker of worker.test.ts does: uses the addon, tells, and goes on until it is stopped.
import { parentPort, workerData } from 'node:worker_threads';
import { encodeParams, opInfo, raw } from '../support/raw.js';

const { foreign, endless }: { foreign: number; endless: boolean } = workerData;
const n = 1 << 16;
const info = opInfo('fill');
const params = encodeParams(info, { dtype: 0, count: n, value: 7 });

let foreignCode = '';
try {
  raw.readSync(foreign, 0, 4);
} catch (error) {
  foreignCode = error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
const handle = raw.alloc(4 * n);
const fill = () => raw.run(info.id, params, Float64Array.of(handle, 0, 4 * n), 0, 1);
fill();
const value = new Float32Array(raw.readSync(handle, 4 * (n - 1), 4))[0];
parentPort?.postMessage({ foreignCode, value });
if (endless) {
  // Leaves ops queued, reads pending and images half changed when the environment goes away.
  const images = new Uint8Array(64 * 100);
  const flip = Float64Array.of(0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  for (;;) {
    fill();
    raw.read(handle, 0, 4 * n).catch(() => undefined);
    raw.augment(images, Float64Array.of(64, 10, 10, 1), flip, 0, 0, 4).catch(() => undefined);
  }
}
