import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Script } from 'node:vm';
import { renderHtmlReport, writeHtmlReport } from '../../src/report/html.js';
import { embedJson, escapeHtml } from '../../src/report/page.js';
import type { RunReport } from '../../src/report/run_report.js';
import { temporaryFolder } from '../io/host.js';

const report: RunReport = {
  title: 'run </script><script>alert(1)</script> & "more"',
  config: { optimizer: { name: 'sgd', ema: { decay: 0.999 } }, layers: [32, 64], note: '<img src=x>' },
  machine: { cpu: 'test', cores: 2 },
  steps: [
    { step: 1, loss: Number.NaN, lr: 0.1, imagesPerSecond: 1000 },
    { step: 2, loss: 0.123456789, accuracy: 0.5, lr: 0.1 },
  ],
  epochs: [
    {
      epoch: 1,
      loss: 2,
      accuracy: 0.5,
      valLoss: 1.5,
      valAccuracy: 0.75,
      emaValAccuracy: 0.625,
      lr: 0.1,
      seconds: 61,
      imagesPerSecond: 900,
    },
    {
      epoch: 2,
      loss: 1,
      accuracy: 0.6,
      valLoss: 1.25,
      valAccuracy: 0.7,
      lr: 1e-5,
      seconds: 0.5,
      imagesPerSecond: 1234.5,
    },
  ],
  updateRatios: [
    { step: 1, ratios: { 'conv1.</script>': 1e-3 } },
    { step: 2, ratios: { 'conv1.</script>': 2e-3, dense: 1e-4 } },
  ],
};

function scriptsOf(html: string): string[] {
  return [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
}

test('html report: the data arrives whole, and nothing in it can end its script', async () => {
  const [json, ...scripts] = scriptsOf(await renderHtmlReport(report));
  assert.equal(scripts.length, 3); // uPlot, the theme, the charts
  assert.deepEqual(JSON.parse(json ?? ''), {
    steps: {
      step: [1, 2],
      loss: [null, 0.1234568],
      accuracy: [null, 0.5],
      lr: [0.1, 0.1],
      imagesPerSecond: [1000, null],
    },
    epochs: {
      step: [1, 2],
      loss: [2, 1],
      accuracy: [0.5, 0.6],
      valLoss: [1.5, 1.25],
      valAccuracy: [0.75, 0.7],
      emaValAccuracy: [0.625, null],
      lr: [0.1, 1e-5],
      imagesPerSecond: [900, 1234.5],
    },
    updateRatios: {
      step: [1, 2],
      layers: [
        { name: 'conv1.</script>', ratio: [0.001, 0.002] },
        { name: 'dense', ratio: [null, 0.0001] },
      ],
    },
  });
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
  assert.deepEqual(cells.slice(0, 9), ['1', '2.000', '50.00%', '1.500', '75.00%', '62.50%', '0.1000', '1:01', '900']);
  assert.deepEqual(cells.slice(9), ['2', '1.000', '60.00%', '1.250', '70.00%', '–', '1.00e-5', '500 ms', '1,235']);
  assert.match(html, /<tr class="best"><td>1<\/td>/);
  assert.match(html, /<dt>optimizer\.ema\.decay<\/dt><dd>0\.999<\/dd>/);
  assert.match(html, /<dt>layers<\/dt><dd>\[32,64\]<\/dd>/);
  assert.match(html, /<dd>&lt;img src=x&gt;<\/dd>/);
});

test('html report: an empty run', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'r.html');
  await writeHtmlReport(path, { title: 'empty', config: {}, machine: {}, steps: [], epochs: [], updateRatios: [] });
  assert.match(await readFile(path, 'utf8'), /^<!doctype html>/);
  assert.deepEqual(await readdir(folder), ['r.html']);
});

test('html report: escaping', () => {
  assert.equal(escapeHtml(`<a href='x'>"&"</a>`), '&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;');
  assert.equal(embedJson('</script><!--'), '"\\u003c/script>\\u003c!--"');
});
