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
  // Leaves ops queued and reads pending when the environment goes away.
  for (;;) {
    fill();
    raw.read(handle, 0, 4 * n).catch(() => undefined);
  }
}
