import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Script } from 'node:vm';
import { escapeXml } from '../../src/chart/svg.js';
import { chartsOf } from '../../src/report/charts.js';
import { guidesOf } from '../../src/report/guides.js';
import { renderHtmlReport, writeHtmlReport } from '../../src/report/html.js';
import { embedJson } from '../../src/report/page.js';
import type { CallbackDescription, RunReport } from '../../src/report/run.js';
import { SeriesTable, seriesOf } from '../../src/report/series.js';
import { temporaryFolder } from '../io/host.js';
import { epoch, step, stop } from './log.js';

const report: RunReport = {
  title: 'run </script><script>alert(1)</script> & "more"',
  config: { optimizer: { name: 'sgd', ema: { decay: 0.999 } }, layers: [32, 64], note: '<img src=x>' },
  machine: { cpu: 'test', cores: 2 },
  steps: [
    step(1, {
      metrics: { loss: Number.NaN },
      samplesPerSecond: 1000,
      updateRatios: { 'conv1.</script>.weight': 1e-3 },
    }),
    step(2, {
      metrics: { loss: 0.123456789, accuracy: 0.5 },
      updateRatios: { 'conv1.</script>.weight': 2e-3, 'dense.bias': 1e-4 },
    }),
  ],
  epochs: [
    epoch(1, {
      metrics: { loss: 2, accuracy: 0.5, val_loss: 1.5, val_accuracy: 0.75, ema_val_accuracy: 0.625, mae: 3 },
      seconds: 61,
      samplesPerSecond: 900,
    }),
    epoch(2, {
      metrics: { loss: 1, accuracy: 0.6, val_loss: 1.25, val_accuracy: 0.7, mae: 2 },
      lr: 1e-5,
      seconds: 0.5,
      samplesPerSecond: 1234.5,
    }),
  ],
  metrics: [{ step: 2, metrics: { mae: 2.5 } }],
  warnings: [{ step: 2, message: 'weights <explode>' }],
  stop: stop(4, 'earlyStopping'),
};

function scriptsOf(html: string): string[] {
  return [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
}

test('html report: the data arrives whole, and nothing in it can end its script', async () => {
  const [json, ...scripts] = scriptsOf(await renderHtmlReport(report));
  assert.equal(scripts.length, 4); // uPlot, the theme, what charts share, the charts
  const { charts, guides, series } = JSON.parse(json ?? '');
  assert.deepEqual(series, {
    loss: { x: [1, 2], y: [null, 0.1234568] },
    lr: { x: [1, 2], y: [0.1, 0.1] },
    samples_per_second: { x: [1], y: [1000] },
    'update_ratio/conv1.</script>.weight': { x: [1, 2], y: [0.001, 0.002] },
    accuracy: { x: [2], y: [0.5] },
    'update_ratio/dense.bias': { x: [2], y: [0.0001] },
    epoch_loss: { x: [2, 4], y: [2, 1] },
    epoch_accuracy: { x: [2, 4], y: [0.5, 0.6] },
    val_loss: { x: [2, 4], y: [1.5, 1.25] },
    val_accuracy: { x: [2, 4], y: [0.75, 0.7] },
    ema_val_accuracy: { x: [2], y: [0.625] },
    epoch_mae: { x: [2, 4], y: [3, 2] },
    mae: { x: [2], y: [2.5] },
    epoch_samples_per_second: { x: [2, 4], y: [900, 1234.5] },
  });
  assert.deepEqual(charts, chartsOf(Object.keys(series)));
  assert.deepEqual(guides, { update_ratio: [1e-3, 1e-6] });
  for (const script of scripts) assert(new Script(script)); // throws when it does not parse
});

test('html report: needs no network', async () => {
  const html = await renderHtmlReport(report);
  assert.doesNotMatch(html, /<link|<iframe|\ssrc=["']?http|@import|url\(\s*["']?(https?:)?\/\/|fetch\(|XMLHttpRequest/);
});

test('html report: tables hold the values, escaped', async () => {
  const html = await renderHtmlReport(report);
  assert.match(
    html,
    /<title>run &lt;\/script&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt; &amp; &quot;more&quot;<\/title>/,
  );
  const cells = [...html.matchAll(/<td>(.*?)<\/td>/g)].map((match) => match[1]);
  const heads = [...html.matchAll(/<th>(.*?)<\/th>/g)].map((match) => match[1]);
  assert.deepEqual(heads.slice(0, 6), ['epoch', 'loss', 'accuracy', 'mae', 'val loss', 'val accuracy']);
  assert.deepEqual(heads.slice(6), ['ema val accuracy', 'lr', 'time', 'samples/s']);
  assert.deepEqual(cells.slice(0, 7), ['1', '2.000', '50.00%', '3.000', '1.500', '75.00%', '62.50%']);
  assert.deepEqual(cells.slice(7, 10), ['0.1000', '1:01', '900']);
  assert.deepEqual(cells.slice(10, 17), ['2', '1.000', '60.00%', '2.000', '1.250', '70.00%', '–']);
  assert.deepEqual(cells.slice(17), ['1.00e-5', '500 ms', '1,235']);
  assert.match(html, /<tr class="best"><td>1<\/td>/);
  assert.match(html, /<dt>optimizer\.ema\.decay<\/dt><dd>0\.999<\/dd>/);
  assert.match(html, /<dt>layers<\/dt><dd>\[32,64\]<\/dd>/);
  assert.match(html, /<dd>&lt;img src=x&gt;<\/dd>/);
  assert.match(html, /<dt>step 2<\/dt><dd>weights &lt;explode&gt;<\/dd>/);
  assert.match(html, /<span>Ended<\/span><strong>earlyStopping<\/strong><small>1 warning<\/small>/);
});

test('html report: an empty run', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'r.html');
  await writeHtmlReport(path, { title: 'empty', config: {}, steps: [], epochs: [] });
  assert.match(await readFile(path, 'utf8'), /^<!doctype html>/);
  assert.deepEqual(await readdir(folder), ['r.html']);
});

test('html report: escaping', () => {
  assert.equal(escapeXml(`<a href='x'>"&"</a>`), '&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;');
  assert.equal(embedJson('</script><!--'), '"\\u003c/script>\\u003c!--"');
});

test('the bounds of update-to-weight ratios are those that a run was watched by', async () => {
  const watched = (upper: number | string, lower: number) => ({ name: 'updateRatio', settings: { upper, lower } });
  const bounds = (...callbacks: CallbackDescription[]) => guidesOf({ callbacks }).update_ratio;
  assert.deepEqual(guidesOf({}), { update_ratio: [1e-3, 1e-6] });
  assert.deepEqual(bounds({ name: 'other', settings: { upper: 1 } }), [1e-3, 1e-6]);
  assert.deepEqual(bounds(watched(1e-2, 1e-5)), [1e-2, 1e-5]);
  assert.deepEqual(bounds(watched(Number.POSITIVE_INFINITY, 0)), []);
  assert.deepEqual(bounds(watched(1e-2, 1e-6), watched(0.1, 1e-6)), [0.1, 1e-2, 1e-6], 'by two callbacks');
  assert.deepEqual(bounds(watched('high', 1e-6)), [1e-6]);

  const html = await renderHtmlReport({ ...report, callbacks: [watched(2e-2, 1e-5)] });
  assert.deepEqual(JSON.parse(scriptsOf(html)[0] ?? '').guides, { update_ratio: [2e-2, 1e-5] });
  assert.match(html, /<dt>updateRatio\.upper<\/dt><dd>0\.02<\/dd>/);
});

test('the charts of a run: metrics that are called as another chart, activations by layer', () => {
  const statistics = { mean: 0.5, standardDeviation: 2, zeros: 0.25, dead: 0.125 };
  const { byName } = seriesOf({
    ...report,
    steps: [step(1, { activations: { relu1: statistics, dense2: statistics } })],
    metrics: [{ step: 1, metrics: { memory: 1, dead_units: 2 } }],
  });
  assert.deepEqual(
    ['activation_mean', 'activation_sd', 'zeros', 'dead_units'].map((name) => byName.get(`${name}/relu1`)?.value),
    [[0.5], [2], [0.25], [0.125]],
  );
  const charts = chartsOf(byName.keys());
  assert.equal(new Set(charts.map(({ id }) => id)).size, charts.length);
  const labels = (id: string) => charts.find((chart) => chart.id === id)?.lines.map(({ label }) => label);
  for (const id of ['activation_mean', 'activation_sd', 'zeros', 'dead_units'])
    assert.deepEqual(labels(id), ['relu1', 'dense2']);
  assert.deepEqual(labels('metric/memory'), ['training']);
});

test('curves: steps ascend, whatever the log has them in, and the last value of a step counts', () => {
  const table = new SeriesTable();
  for (const [at, loss] of [
    [1, 10],
    [4, 40],
    [2, 20],
    [4, 41],
    [3, 30],
    [5, 50],
  ] as const)
    table.add({ type: 'metrics', step: at, metrics: { loss } });
  assert.deepEqual(table.byName.get('loss'), { step: [1, 2, 3, 4, 5], value: [10, 20, 30, 41, 50] });
});

test('html report: noisy curves that are long are smoothed over a hundredth of the run', async () => {
  const steps = Array.from({ length: 1001 }, (_, i) => step(i + 1, { metrics: { loss: i % 2 }, lr: i % 2 }));
  const { series } = JSON.parse(scriptsOf(await renderHtmlReport({ ...report, steps }))[0] ?? '');
  assert.deepEqual(Object.keys(series.lr), ['x', 'y']);
  const { x, y } = series.loss.smooth;
  assert.deepEqual([x.length, x.at(-1)], [1001, 1001]);
  // A moving average over 10 steps of 0, 1, 0, 1, ... swings by 1 / 19 around 1/2.
  assert.ok(Math.abs(y.at(-1) - 9 / 19) < 1e-6 && Math.abs(y.at(-2) - 10 / 19) < 1e-6, y.slice(-2).join());
});

test('html report: what a run failed with', async () => {
  const failed = { ...stop(4, 'error'), error: 'E_IO: <disk> full' };
  const html = await renderHtmlReport({ ...report, stop: failed });
  assert.match(html, /<h2>The run failed<\/h2><p>E_IO: &lt;disk&gt; full<\/p>/);
});
