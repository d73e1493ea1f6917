// `anneal bench` in a process of its own. No time is asserted.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { eventLoopWorks } from '../../src/bench/event_loop.js';
import { parseReport } from '../../src/bench/report.js';
import { largeWorks, works } from '../../src/bench/works.js';
import { WorkProgress } from '../../src/cli/work_progress.js';
import { type ChildOptions, runChild } from '../support/child.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-bench-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const bench = (args: readonly string[], options?: ChildOptions) =>
  runChild('src/cli/main.ts', ['bench', ...args], options);

test('--list names every work and measures nothing', async () => {
  const { code, stdout } = await bench(['--list']);
  assert.equal(code, 0);
  const lines = stdout.trim().split('\n');
  assert.equal(lines.length, works.length + largeWorks.length + eventLoopWorks.length);
  assert.match(lines[0] ?? '', /^sgemm +sgemm_nn_64 +64x64x64 NN$/);
});

const refusals: readonly [string, readonly string[], RegExp][] = [
  ['a pattern that matches nothing', ['--only', 'nothing_like_it'], /E_ARGUMENT .*'nothing_like_it'.*sgemm, conv/],
  ['a peer there is none of', ['--peers', 'openblas,abacus'], /--peers.*'abacus'/],
  ['a comparison with no file', ['--compare', join(folder, 'absent.json')], /E_IO .*absent\.json/],
  ['no threads', ['--threads', '0'], /--threads.*at least 1/],
  ['no budget', ['--budget', '0'], /--budget.*at least 1/],
];

for (const [name, args, message] of refusals) {
  test(`bench refuses ${name}`, async () => {
    const { code, stdout, stderr } = await bench(args);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace');
    assert.equal(stdout, '');
  });
}

test('bench refuses to compare with JSON of another form', async () => {
  const path = join(folder, 'other.json');
  writeFileSync(path, '{"machine": {}}');
  const { code, stderr } = await bench(['--compare', path]);
  assert.equal(code, 1);
  assert.match(stderr, /E_FORMAT .*other\.json: expected limits/);
});

test('a small run: table, JSON, page, and a comparison with itself', async () => {
  const [json, html] = [join(folder, 'run.json'), join(folder, 'run.html')];
  const args = ['--only', 'sgemm_nn_64,op_overhead', '--threads', '2', '--budget', '5'];
  const first = await bench([...args, '--json', json, '--html', html]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /avx|neon|baseline/);
  assert.match(first.stdout, /^sgemm_nn_64 +kernel warm 2t /m);
  const report = parseReport(readFileSync(json, 'utf8'));
  assert.deepEqual(
    report.results.map(({ work, figure, cache, threads }) => `${work} ${figure} ${cache} ${threads}`),
    [
      'sgemm_nn_64 kernel warm 2',
      'sgemm_nn_64 call warm 2',
      'sgemm_nn_64 kernel cold 2',
      'op_overhead_add1 kernel warm 2',
      'op_overhead_add1 call warm 2',
      'op_overhead_add1_x100 kernel warm 2',
      'op_overhead_add1_x100 call warm 2',
      'op_overhead_add1_x100 captured warm 2',
    ],
  );
  for (const { work, msMin, msQ1, msMedian, msQ3, msMax, samples, shareOfLimit } of report.results) {
    assert.ok(0 < msMin && msMin <= msQ1 && msQ1 <= msMedian && msMedian <= msQ3 && msQ3 <= msMax, work);
    assert.ok(samples >= 5 && shareOfLimit > 0, work);
  }
  for (const limit of Object.values(report.limits)) assert.ok(typeof limit === 'object' || limit > 0);
  assert.equal(report.failures, undefined);
  assert.match(readFileSync(html, 'utf8'), /<h2>Roofline<\/h2>/);
  const second = await bench([...args, '--compare', json]);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stdout, /^sgemm_nn_64 +call warm 2t +\S+ +\S+ +\d+\.\d\dx/m);
});

test('Ctrl-C ends a run with 130 and writes nothing', async () => {
  const json = join(folder, 'interrupted.json');
  let sent = false;
  const { code, stderr } = await bench(['--only', 'sgemm', '--json', json], {
    onOutput(child) {
      if (sent) return;
      sent = true;
      child.kill('SIGINT');
    },
  });
  assert.equal(code, 130);
  assert.match(stderr, /Interrupted\.$/m);
  assert.equal(existsSync(json), false);
});

class Screen extends Writable {
  text = '';
  constructor(readonly isTTY: boolean) {
    super({ decodeStrings: false });
  }
  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }
}

test('progress: plain lines, at most one an interval, where there is no terminal', () => {
  const stream = new Screen(false);
  let time = 0;
  using progress = new WorkProgress({ stream, interval: 1000, now: () => time });
  for (let done = 0; done < 4; done++) {
    time += 600;
    progress.show({ done, total: 4, doing: `work_${done}` });
  }
  assert.equal(stream.text, 'bench 1/4  0:01  work_1\nbench 3/4  0:02  work_3\n');
});

test('progress: a bar on a terminal, gone when the run stops', () => {
  const stream = new Screen(true);
  const progress = new WorkProgress({ stream });
  progress.show({ done: 1, total: 2, doing: 'work_1' });
  progress.stop();
  assert.match(stream.text, /bench ━{12}─{12} 1\/2 {2}0:00 {2}work_1/);
});
