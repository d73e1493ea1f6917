import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MetricsEvent } from '../../src/report/log_event.js';
import { MetricsLog, readMetricsLog } from '../../src/report/metrics_log.js';
import { failure, temporaryFolder } from '../io/host.js';
import { epoch, start, step, stop } from './log.js';

test('metrics log: what is appended is what is read, in order', async (context) => {
  const path = join(await temporaryFolder(context), 'run.jsonl');
  const events: MetricsEvent[] = [
    start,
    step(1, { metrics: { loss: Number.NaN, f1: -0 } }),
    step(2, {
      metrics: { loss: Number.POSITIVE_INFINITY },
      lrByGroup: { backbone: 0.01 },
      momentum: 0.9,
      gradNorm: 3,
      updateRatios: { 'conv.w': 1e-3 },
      samplesPerSecond: 1000,
      memory: { live: 1, pooled: 2, peak: 3, rss: 4 },
    }),
    { type: 'metrics', step: 2, metrics: { recall: 0.5 } },
    epoch(1),
    { type: 'warning', step: 2, message: 'line\nbreak' },
    stop(2),
  ];
  {
    await using log = await MetricsLog.open(path);
    for (const event of events) log.append(event);
    await log.flush();
    assert.deepEqual(await readMetricsLog(path), events);
  }
  assert.equal((await readFile(path, 'utf8')).trimEnd().split('\n').length, events.length);
});

test('metrics log: many appends at once stay in order', async (context) => {
  const path = join(await temporaryFolder(context), 'run.jsonl');
  const log = await MetricsLog.open(path);
  for (let index = 1; index <= 2000; index += 1) {
    log.append(step(index));
    if (index % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  await log.close();
  const events = await readMetricsLog(path);
  assert.deepEqual(
    events.map(({ step }) => step),
    Array.from({ length: 2000 }, (_, index) => index + 1),
  );
  assert.throws(() => log.append(step(1)), failure('E_DISPOSED', /it is closed/));
});

test('metrics log: a torn last line is left out, and cut off by the next run', async (context) => {
  const path = join(await temporaryFolder(context), 'run.jsonl');
  const first = await MetricsLog.open(path);
  first.append(start);
  first.append(step(1));
  await first.close();
  await appendFile(path, '{"type":"step","st');
  assert.deepEqual(await readMetricsLog(path), [start, step(1)]);
  const second = await MetricsLog.open(path);
  second.append(step(2));
  await second.close();
  assert.deepEqual(await readMetricsLog(path), [start, step(1), step(2)]);
});

test('metrics log: a resumed run drops what it will tell again', async (context) => {
  const path = join(await temporaryFolder(context), 'run.jsonl');
  const first = await MetricsLog.open(path);
  for (const event of [start, step(1), step(2), epoch(1), step(3), step(4), epoch(2)]) first.append(event);
  await first.close();
  const second = await MetricsLog.open(path, { resumeAtStep: 2 });
  second.append(step(3, { lr: 7 }));
  await second.close();
  assert.deepEqual(await readMetricsLog(path), [start, step(1), step(2), epoch(1), step(3, { lr: 7 })]);
});

test('metrics log: one that resumes before its first step begins anew', async (context) => {
  const path = join(await temporaryFolder(context), 'run.jsonl');
  for (const time of [1, 2]) {
    await using log = await MetricsLog.open(path, { resumeAtStep: 0 });
    log.append({ ...start, time });
    log.append(step(1));
  }
  assert.deepEqual(await readMetricsLog(path), [{ ...start, time: 2 }, step(1)]);
});

test('metrics log: other files are refused, by line, and left alone', async (context) => {
  const path = join(await temporaryFolder(context), 'notes.txt');
  for (const [text, message] of [
    [`${JSON.stringify(step(1))}\nhello\n`, /notes\.txt:2: expected an event in JSON/],
    ['{"type":"step","step":"1","time":1,"metrics":{},"lr":1}\n', /notes\.txt:1: expected an event of a run/],
    ['{"type":"step","step":1,"time":1,"metrics":{"loss":"low"},"lr":1}\n', /notes\.txt:1: expected an event of a run/],
    ['{"type":"step","step":1,"time":1,"metrics":[1],"lr":1}\n', /notes\.txt:1: expected an event of a run/],
    [`${JSON.stringify({ ...step(1), memory: { live: 1 } })}\n`, /notes\.txt:1: expected an event of a run/],
    [`${JSON.stringify({ ...step(1), gradNorm: null })}\n`, /notes\.txt:1: expected an event of a run/],
    ['{"type":"other"}\n', /notes\.txt:1: expected an event of a run/],
    ['[1]\n', /notes\.txt:1: expected an event of a run/],
  ] as const) {
    await writeFile(path, text);
    await assert.rejects(MetricsLog.open(path), failure('E_FORMAT', message));
    await assert.rejects(readMetricsLog(path), failure('E_FORMAT', message));
    assert.equal(await readFile(path, 'utf8'), text);
  }
  await assert.rejects(readMetricsLog(join(path, 'none')), failure('E_IO', /none: expected the log of a run/));
});
