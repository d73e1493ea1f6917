import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type PeerOptions, parsePeerLine, runPeerProgram } from '../../src/bench/peer_process.js';
import { type PeerName, type PeerRun, peerEnvironment, peerNames, runPeer } from '../../src/bench/peers.js';
import { type Work, works } from '../../src/bench/works.js';

const fake = fileURLToPath(new URL('fixtures/peer.mjs', import.meta.url));
const named = (...names: string[]): Work[] => works.filter(({ work }) => names.includes(work));
const two = named('sgemm_nn_64', 'sgemm_nt_64');
const figures = { msMedian: 2, msMin: 1, msMax: 3, samples: 5 };

const behaving = (how: string, options: Partial<PeerOptions> = {}): Promise<PeerRun> =>
  runPeerProgram('fake', { command: process.execPath, args: [fake, how], env: process.env }, two, {
    threads: 2,
    seed: 7,
    budgetMs: 20,
    ...options,
  });

function resultsOf(run: PeerRun): Record<string, unknown> {
  assert.ok('results' in run, 'missing' in run ? run.missing : '');
  return Object.fromEntries(run.results);
}

test('lines of the protocol', () => {
  const line = (value: unknown) => parsePeerLine(JSON.stringify(value));
  assert.deepEqual(line({ peer: 'x', version: '1', detail: '' }), { kind: 'header', version: '1', detail: '' });
  assert.deepEqual(line({ missing: 'why' }), { kind: 'missing', reason: 'why' });
  assert.deepEqual(line({ work: 'w', skip: 'why' }), { kind: 'result', work: 'w', result: { skip: 'why' } });
  assert.deepEqual(line({ work: 'w', ...figures, other: 1 }), { kind: 'result', work: 'w', result: figures });
  const noted = { ...figures, note: 'loop', variants: { loop: 2, foreach: 3 } };
  assert.deepEqual(line({ work: 'w', ...noted }), { kind: 'result', work: 'w', result: noted });
  for (const bad of [
    { msMedian: 0 },
    { msMedian: null },
    { msMedian: '2' },
    { msMin: 2.5 },
    { msMax: 1.5 },
    { samples: 0 },
    { samples: 1.5 },
    { note: 3 },
    { variants: { loop: -1 } },
    { work: 3 },
  ])
    assert.equal(line({ work: 'w', ...figures, ...bad }), null, JSON.stringify(bad));
  for (const bad of ['', 'Welcome!', '3', 'null', '[]', '{}', '{"peer":"x"}']) assert.equal(parsePeerLine(bad), null);
});

test('a peer gets the works and its results come back, as they come', async () => {
  const seen: string[] = [];
  const run = await behaving('good', { onResult: (work) => seen.push(work) });
  assert.ok('version' in run);
  assert.deepEqual([run.peer, run.version, run.detail], ['fake', '1.2', '2 threads, seed 7, 20 ms']);
  assert.deepEqual(resultsOf(run), {
    sgemm_nn_64: { ...figures, note: 'nhwc', variants: { nchw: 3, nhwc: 2 } },
    sgemm_nt_64: { skip: 'cannot' },
  });
  assert.deepEqual(seen, ['sgemm_nn_64', 'sgemm_nt_64']);
});

test('a peer that is not there, says so, or dies before it starts is missing', async () => {
  const program = { command: 'anneal-no-such-program', args: [], env: process.env };
  const absent = await runPeerProgram('fake', program, two, { threads: 1, seed: 1, budgetMs: 1 });
  assert.deepEqual(absent, { peer: 'fake', missing: 'no anneal-no-such-program on this machine' });
  assert.deepEqual(await behaving('missing'), { peer: 'fake', missing: 'not a fair peer' });
  const dead = { peer: 'fake', missing: 'ended with status 3: no such module' };
  assert.deepEqual(await behaving('dies-early'), dead);
  const garbage = { peer: 'fake', missing: 'printed what is not a result: Welcome!' };
  assert.deepEqual(await behaving('garbage-early'), garbage);
});

test('a peer that fails on the way keeps what it measured', async () => {
  assert.deepEqual(resultsOf(await behaving('dies-late')), {
    sgemm_nn_64: figures,
    sgemm_nt_64: { skip: 'ended with SIGSEGV' },
  });
  const late = resultsOf(await behaving('garbage-late'));
  assert.deepEqual(late.sgemm_nn_64, figures);
  assert.match(JSON.stringify(late.sgemm_nt_64), /^{"skip":"printed what is not a result: /);
  const twice = resultsOf(await behaving('twice'));
  assert.match(JSON.stringify(twice.sgemm_nt_64), /printed what is not a result/);
  const short = resultsOf(await behaving('stops-early'));
  assert.deepEqual(short.sgemm_nn_64, { skip: 'ended without a result' });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 100 && isAlive(pid); i++) await new Promise((done) => setTimeout(done, 20));
  assert.ok(!isAlive(pid), `process ${pid} is still there`);
}

test('a peer that says nothing is ended, with what it started', async () => {
  let pid = 0;
  const onProgress = (line: string): void => {
    pid = Number(line.replace('child ', ''));
  };
  const results = resultsOf(await behaving('silent', { silenceMs: 1500, onProgress }));
  assert.deepEqual(results.sgemm_nn_64, { skip: 'gave no result for 2 s' });
  assert.ok(pid > 0);
  await gone(pid);
});

test('a signal ends it', async () => {
  const controller = new AbortController();
  const run = behaving('silent', { signal: controller.signal, onProgress: () => controller.abort() });
  await assert.rejects(run, { code: 'E_ABORTED' });
  await assert.rejects(behaving('good', { signal: AbortSignal.abort() }), { code: 'E_ABORTED' });
});

test('the environment does not choose a peer’s kernels', () => {
  const env = peerEnvironment(3, {
    PATH: '/bin',
    OPENBLAS_CORETYPE: 'Haswell',
    OPENBLAS_L2_SIZE: '512',
    BLIS_ARCH_TYPE: '3',
    OMP_NUM_THREADS: '64',
    NODE_OPTIONS: '--inspect',
    LD_LIBRARY_PATH: '/opt',
  });
  const threads = { OMP_NUM_THREADS: '3', OPENBLAS_NUM_THREADS: '3', BLIS_NUM_THREADS: '3' };
  assert.deepEqual(env, { PATH: '/bin', LD_LIBRARY_PATH: '/opt', ...threads });
});

// One small work of each kind, so that a change of a program or of works.ts shows here and not in the benchmark.
const small: Work[] = [
  ...named('sgemm_nn_64', 'sgemm_nt_64', 'sgemm_tn_64', 'sgemm_batch64_64'),
  ...named('depthwise3x3_c384_14_fwd', 'depthwise3x3_c384_14_fwdbwd'),
  ...works.flatMap((work): Work[] => {
    if (work.kind === 'conv2d' && work.work.startsWith('conv5x5_c1_28')) return [{ ...work, n: 2 }];
    if (work.kind === 'pool2d') return [{ ...work, n: 1 }];
    if (work.kind === 'batch_norm') return [{ ...work, rows: 3136 }];
    if (work.kind === 'layer_norm' || work.kind === 'softmax_cross_entropy') return [{ ...work, rows: 8 }];
    if (work.kind === 'elementwise') return [{ ...work, n: 1000 }];
    if (work.kind === 'optimizer') return [{ ...work, shapes: [[3, 3, 8, 8], [10]] }];
    if (work.kind === 'train') return [{ ...work, batch: Math.min(work.batch, 4) }];
    return work.kind === 'overhead' ? [work] : [];
  }),
];

const never = /^(?!)/;
const blas = (kind: Work['kind']) => (kind === 'sgemm' ? never : /^a BLAS has only matrix products$/);
/** What a peer may say instead of a time, by the work's kind. Slow ones may also say that they would be too slow. */
const cannot: Record<PeerName, (kind: Work['kind']) => RegExp> = {
  openblas: blas,
  blis: blas,
  cublas: blas,
  pytorch: () => never,
  'tfjs-wasm': (kind) => (/conv2d|train/.test(kind) ? /Backprop\w+' not registered for backend 'wasm'/ : never),
  'tfjs-cpu': () => /^about .* s a call/,
  'tfjs-webgpu': () => /^about .* s a call|not registered/,
  'jax-js-wasm': () => /^about .* s a call|^calls one after the other/,
  'jax-js-webgpu': () => /^about .* s a call|^calls one after the other/,
};

async function realPeer(t: TestContext, name: PeerName): Promise<void> {
  // On a software adapter the larger ones take minutes.
  const few = small.filter(({ kind, work }) => /elementwise|overhead/.test(kind) || /nn_64|train_mlp/.test(work));
  const asked = name.endsWith('webgpu') ? few : small;
  const run = await runPeer(name, asked, { threads: 1, seed: 1, budgetMs: 2, install: false });
  if ('missing' in run) return t.skip(`${name}: ${run.missing}`);
  assert.match(run.version, /^\d+\.\d+/);
  assert.equal(run.results.size, asked.length);
  for (const { work, kind } of asked) {
    const result = run.results.get(work);
    assert.ok(result, work);
    if ('skip' in result) assert.match(result.skip, cannot[name](kind), `${name} ${work}`);
    else assert.ok(result.msMedian > 0, work);
  }
}

for (const name of peerNames) test(`${name}, if it is here, runs every kind of work it can`, (t) => realPeer(t, name));
