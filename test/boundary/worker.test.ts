// Workers have buffers and a queue of their own, and may end at any moment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { raw } from '../support/raw.js';

interface Told {
  readonly foreignCode: string;
  readonly value: number;
}

// Workers do not inherit the loader of TypeScript, so they register it themselves.
const body = new URL('./worker_body.ts', import.meta.url).href;
const loader = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => {
  register();
  return import(${JSON.stringify(body)});
});`;

function start(foreign: number, endless: boolean): { worker: Worker; told: Promise<Told>; ended: Promise<number> } {
  const worker = new Worker(loader, { eval: true, workerData: { foreign, endless } });
  const told = new Promise<Told>((done, failed) => {
    worker.once('message', done);
    worker.once('error', failed);
  });
  const ended = new Promise<number>((done) => worker.once('exit', done));
  return { worker, told, ended };
}

// A handle that no worker has: the slots of a new environment are counted from the first.
function distantHandle(): { handle: number; free: () => void } {
  const handles = Array.from({ length: 100 }, () => raw.alloc(64));
  return { handle: handles.at(-1) ?? 0, free: () => handles.forEach((handle) => void raw.free(handle)) };
}

test('a worker computes on its own, and knows no buffer of another thread', async () => {
  const { handle, free } = distantHandle();
  const { told, ended } = start(handle, false);
  assert.deepEqual(await told, { foreignCode: 'E_DISPOSED', value: 7 });
  assert.equal(await ended, 0);
  free();
});

test('workers stopped in the middle of their work take nothing down', async () => {
  for (let i = 0; i < 6; i++) {
    const pair = [start(0, true), start(0, true)];
    for (const { told } of pair) assert.equal((await told).value, 7);
    await new Promise((done) => setTimeout(done, 5 * i));
    await Promise.all(pair.map(({ worker }) => worker.terminate()));
  }
  // This thread still works.
  const handle = raw.alloc(4);
  raw.write(handle, 0, Float32Array.of(3));
  assert.equal(new Float32Array(raw.readSync(handle, 0, 4))[0], 3);
  raw.free(handle);
});
