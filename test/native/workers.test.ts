// The library in several threads at once, and at the end of threads and processes.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { cpuInfo, setThreads } from '../../src/backend/device.js';
import { addon } from '../../src/binding.js';
import { runChild } from '../support/child.js';
import { refuses } from '../support/refuses.js';
import { trainSteps } from './steps.js';
import type { Answer, Job } from './worker.js';

const { threads } = cpuInfo();
after(() => setThreads(threads));

// Workers do not inherit the loader of TypeScript, so they register it themselves.
const body = JSON.stringify(new URL('./worker.ts', import.meta.url).href);
const loader = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => {
  register();
  return import(${body});
});`;

/** A worker that answers one message for each it is sent. */
function start(): { ask: (job: Job) => Promise<Answer>; worker: Worker } {
  const worker = new Worker(loader, { eval: true });
  const ask = (job: Job): Promise<Answer> =>
    new Promise((done, failed) => {
      worker.once('message', done);
      worker.once('error', failed);
      worker.postMessage(job);
    });
  return { ask, worker };
}

test('three workers and the main thread train at once, with the same bits', async () => {
  const workers = [start(), start(), start()];
  try {
    const expected = await trainSteps(3);
    const answers = workers.map(({ ask }) => ask({ kind: 'train', steps: 3 }));
    const here = trainSteps(3);
    assert.equal(await here, expected);
    for (const answer of await Promise.all(answers)) assert.equal(answer.text, expected);
  } finally {
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
  }
});

test('a worker that is terminated with work in flight takes nothing down', async () => {
  for (let round = 0; round < 3; round++) {
    const { ask, worker } = start();
    await ask({ kind: 'busy' });
    await worker.terminate();
  }
  const expected = await trainSteps(1);
  assert.equal(await trainSteps(1), expected);
});

test('threads are set for one environment alone', async () => {
  const [a, b] = [start(), start()];
  try {
    setThreads(2);
    assert.equal((await a.ask({ kind: 'threads', set: 3 })).text, '3');
    assert.equal((await b.ask({ kind: 'threads', set: 1 })).text, '1');
    assert.equal(cpuInfo().threads, 2);
    assert.equal((await a.ask({ kind: 'threads' })).text, '3');
  } finally {
    await Promise.all([a, b].map(({ worker }) => worker.terminate()));
  }
});

test('a buffer of one environment is E_DISPOSED in every other', async () => {
  const [a, b] = [start(), start()];
  try {
    const own = addon().alloc(64);
    const theirs = Number((await a.ask({ kind: 'alloc' })).text);
    for (const handle of [own, theirs]) {
      assert.equal((await b.ask({ kind: 'use', handle })).text, 'read E_DISPOSED, write E_DISPOSED, free E_DISPOSED');
    }
    refuses(() => addon().readSync(theirs, 0, 4), 'E_DISPOSED', /./);
    assert.equal(
      (await a.ask({ kind: 'use', handle: own })).text,
      'read E_DISPOSED, write E_DISPOSED, free E_DISPOSED',
    );
    assert.equal((await a.ask({ kind: 'use', handle: theirs })).text, 'read ok, write ok, free ok');
    addon().free(own);
  } finally {
    await Promise.all([a, b].map(({ worker }) => worker.terminate()));
  }
});

test('a process ends by itself with work in flight, after the promises it waits for have resolved', async () => {
  const { code, signal, stdout, stderr } = await runChild('test/native/ending.ts', ['pending']);
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
  assert.equal(stdout, 'started\nresolved 1024\n');
});

test('a process ends by itself with work in flight that nobody waits for', async () => {
  const { code, signal, stdout, stderr } = await runChild('test/native/ending.ts', ['forgotten']);
  assert.deepEqual({ code, signal, stderr, stdout }, { code: 0, signal: null, stderr: '', stdout: 'started\n' });
});

test('process.exit with work in flight keeps its exit code', async () => {
  const { code, signal, stderr } = await runChild('test/native/ending.ts', ['exit']);
  assert.deepEqual({ code, signal, stderr }, { code: 3, signal: null, stderr: '' });
});
