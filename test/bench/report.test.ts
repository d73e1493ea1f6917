import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareReports } from '../../src/bench/compare.js';
import { eventLoopWorks } from '../../src/bench/event_loop.js';
import { renderBenchPage } from '../../src/bench/html.js';
import { type BenchReport, type BenchResult, keyOf, parseReport, stringifyReport } from '../../src/bench/report.js';
import { select } from '../../src/bench/select.js';
import { works } from '../../src/bench/works.js';
import { benchTable, comparisonTable, limitLines, markdownTable } from '../../src/cli/bench_table.js';
import { AnnealError } from '../../src/errors.js';
import { refuses } from '../support/refuses.js';

const row = (more: Partial<BenchResult> = {}): BenchResult => ({
  work: 'sgemm_nn_512',
  group: 'sgemm',
  label: '512x512x512 NN',
  device: 'cpu',
  threads: 2,
  figure: 'kernel',
  cache: 'warm',
  msMedian: 1,
  msMin: 0.9,
  msMax: 1.5,
  msQ1: 0.95,
  msQ3: 1.05,
  samples: 20,
  gflops: 268.4,
  gbps: 3.1,
  shareOfLimit: 0.9,
  bound: 'compute',
  peers: { openblas: { msMedian: 1.2, msMin: 1.1, msMax: 1.3, samples: 9, ratio: 1.2 } },
  ...more,
});

const report = (results: readonly BenchResult[], more: Partial<BenchReport> = {}): BenchReport => ({
  machine: {
    cpu: 'A <CPU> & "co"',
    cores: 2,
    threads: 2,
    isa: 'avx512',
    memoryGB: 24,
    os: 'Linux 6',
    node: 'v20',
    anneal: '0.1.0',
    date: '2026-11-25T11:00:00.000Z',
    seed: 1,
    seconds: 30,
    peers: { openblas: '0.3.21', blis: 'not measured: absent' },
  },
  limits: {
    fmaGflops1: 200,
    fmaGflopsAll: 400,
    triadGBps: 60,
    readGBps: 70,
    l1GBps: 800,
    l2GBps: 300,
    l3GBps: 150,
    sgdLoopMs: 3,
    adamwLoopMs: 4,
    fma: { avx2: { gflops1: 100, gflopsAll: 200 }, avx512: { gflops1: 200, gflopsAll: 400 } },
  },
  results,
  ...more,
});

const rows = [
  row(),
  row({ figure: 'call', msMedian: 1.1 }),
  row({ threads: 1, peers: {} }),
  row({ work: 'elementwise_add_8m', group: 'memory', cache: 'cold', bound: 'memory', gflops: 6, gbps: 60, peers: {} }),
  row({ work: 'op_overhead_add1', group: 'overhead', figure: 'call', shareOfLimit: 1e-6 }),
];

test('JSON: what is written is read back', () => {
  const written = report(rows);
  assert.deepEqual(parseReport(stringifyReport(written)), written);
  const third = parseReport(stringifyReport(report([row({ msMedian: 1 / 3 })])));
  assert.equal(third.results[0]?.msMedian, 0.333333, 'as many digits as mean something');
  assert.equal(parseReport(stringifyReport(report([], { failures: ['x'] }))).failures?.[0], 'x');
});

test('JSON of another form is refused, with the place', () => {
  const refuse = (text: string, message: RegExp) =>
    assert.throws(
      () => parseReport(text),
      (error) => error instanceof AnnealError && error.code === 'E_FORMAT' && message.test(error.message),
    );
  refuse('{', /no JSON/);
  refuse('[]', /an object in the top level/);
  refuse('{}', /machine \(a object\) in the top level/);
  const broken = (change: (value: Record<string, Record<string, unknown>>) => void): string => {
    const value = JSON.parse(stringifyReport(report(rows)));
    change(value);
    return JSON.stringify(value);
  };
  refuse(
    broken((v) => delete v.limits?.triadGBps),
    /triadGBps \(a number\) in limits/,
  );
  refuse(
    broken((v) => delete v.machine?.cpu),
    /cpu \(a string\) in machine/,
  );
  refuse(
    broken((v) => {
      v.results = { length: 1 };
    }),
    /an array in results/,
  );
  refuse(
    broken((v) => {
      const second: Record<string, unknown> = Object(v.results?.[1]);
      second.msMedian = null;
    }),
    /msMedian \(a number\) in results\[1\]/,
  );
});

test('rows are told apart by work, device, threads, figure and cache', () => {
  assert.equal(new Set(rows.map(keyOf)).size, rows.length);
});

test('comparison: ratios, and what is beyond the spread of the samples', () => {
  const old = report([row({ msMedian: 2, msQ1: 1.9, msQ3: 2.1 }), row({ figure: 'call' }), row({ work: 'gone' })]);
  const now = report([
    row({ msMedian: 1, msQ1: 0.9, msQ3: 1.1 }),
    row({ figure: 'call', msMedian: 1.04, msQ1: 1, msQ3: 1.1 }),
    row({ work: 'new' }),
  ]);
  const { changes, onlyOld, onlyNew, machines } = compareReports(old, now);
  assert.deepEqual(
    changes.map(({ ratio, verdict }) => [Number(ratio.toFixed(3)), verdict]),
    [
      [2, 'faster'],
      [0.962, 'same'],
    ],
  );
  assert.deepEqual(compareReports(now, old).changes[0]?.verdict, 'slower');
  assert.deepEqual(onlyOld, ['gone cpu 2 kernel warm']);
  assert.deepEqual(onlyNew, ['new cpu 2 kernel warm']);
  assert.deepEqual(machines, []);
  const other = report([], { machine: { ...now.machine, cpu: 'B' } });
  assert.deepEqual(compareReports(other, now).machines, [`cpu: B, ${now.machine.cpu}`]);
  const text = comparisonTable(compareReports(old, now));
  assert.match(text, /sgemm_nn_512 +kernel warm 2t +2\.000 +1\.000 +2\.00x +faster/);
  assert.match(text, /only in the old run: 1 rows/);
  assert.match(comparisonTable(compareReports(other, now)), /Not the same machine \(cpu: B/);
});

test('the table: a row each, rates by what binds, peers with their ratio', () => {
  const lines = benchTable(report(rows)).split('\n');
  assert.equal(lines.length, rows.length + 2);
  assert.match(lines[0] ?? '', /^work +what +ms +min +max +n +rate +limit +bound +openblas$/);
  assert.match(
    lines[2] ?? '',
    /^sgemm_nn_512 +kernel warm 2t +1\.000 .* 268 GFLOP\/s +90\.0% +compute +1\.200 \(1\.20x\)$/,
  );
  assert.match(lines[5] ?? '', /60 GB\/s +90\.0% +memory +–$/);
  assert.match(lines[6] ?? '', /–/, 'a call has no limit');
  assert.match(limitLines(report([]).limits).join('\n'), /avx512 200 \/ 400/);
});

test('the Markdown table: a line each work, with one core, the call and what peers take', () => {
  const lines = markdownTable(report(rows)).split('\n');
  assert.equal(lines.length, 2 + 3);
  assert.equal(lines[0], '| work | kernel, ms | of limit | one core | call, ms | captured, ms | openblas |');
  assert.equal(lines[2], '| `sgemm_nn_512` | 1 | 90.0% | 90.0% | 1.1 |  | 1.2 (1.20x, 1.20x) |');
});

test('works are chosen by substring, pattern or group', () => {
  const worksOf = (only?: string) => select(only).works;
  const onCuda = select('sgemm_nn_8192,eventloop_mlp', { device: 'cuda:0' });
  assert.deepEqual(
    onCuda.works.map(({ work }) => work),
    ['sgemm_nn_8192'],
  );
  assert.ok(onCuda.eventLoop.length > 0);
  refuses(() => select('sgemm_nn_8192'), 'E_ARGUMENT', /sgemm_nn_8192/);
  assert.equal(worksOf(), works);
  assert.equal(worksOf(' , '), works);
  assert.deepEqual(
    worksOf('sgemm_nn_64,^train_mlp_b1$').map(({ work }) => work),
    ['sgemm_nn_64', 'train_mlp_b1'],
  );
  assert.ok(worksOf('optimizer').every(({ group }) => group === 'optimizer'));
  assert.deepEqual(
    worksOf('sgemm_n[nt]_64').map(({ work }) => work),
    ['sgemm_nn_64', 'sgemm_nt_64'],
  );
  assert.deepEqual(
    select('eventloop').eventLoop.map(({ work }) => work),
    eventLoopWorks.map(({ work }) => work),
  );
  assert.deepEqual(worksOf('eventloop'), []);
  assert.equal(select().eventLoop, eventLoopWorks);
  assert.throws(() => worksOf('no such'), /E_ARGUMENT|expected 'no such' to match/);
  assert.throws(() => worksOf('[('), /to match a work/);
});

test('the page is one file: charts, every row, the machine, and nothing from elsewhere', async () => {
  const html = await renderBenchPage(report(rows, { failures: ['x <broken>'] }));
  assert.match(html, /^<!doctype html>/);
  for (const name of ['Roofline', 'Beside the peers', 'Share of the limit', 'All rows', 'Machine', 'Limits', 'Failed'])
    assert.match(html, new RegExp(`<h2>${name}</h2>`));
  assert.equal(html.match(/<svg /g)?.length, 3);
  assert.equal(html.match(/<tr>/g)?.length, rows.length + 1);
  assert.match(html, /A &lt;CPU&gt; &amp; &quot;co&quot;/);
  assert.match(html, /x &lt;broken&gt;/);
  assert.doesNotMatch(html, /<CPU>|<broken>/);
  assert.doesNotMatch(html, /\b(?:src|href)=|@import|url\((?!#)/, 'nothing is loaded');
  assert.doesNotMatch(html, /NaN|undefined|Infinity/);
  const circles = html.match(/<circle /g)?.length;
  assert.equal(circles, 2, 'the kernels on all threads, but no overhead');
});

test('a page without peers, and with a single row, is whole', async () => {
  for (const results of [[row({ peers: {} })], []]) {
    const html = await renderBenchPage(report(results));
    assert.doesNotMatch(html, /Beside the peers|NaN|Infinity/);
  }
});
