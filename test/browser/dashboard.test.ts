// The dashboard in Chromium: what a user sees and does.
import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Dashboard } from '../../src/report/dashboard/server.js';
import { epoch, start, step, stop } from '../report/log.js';
import { type Browser, launch, noBrowser, type Page, until } from './chromium.js';

const lines = (events: readonly object[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('');

/** A run as `report.record` leaves it: steps with ratios now and then, epochs of a tenth, an end. */
function eventsOf(run: number, steps: number): object[] {
  const events: object[] = [{ ...start, time: 1000 + run }];
  for (let at = 1; at <= steps; at += 1) {
    const loss = (1 + run / 10) / Math.sqrt(at) + 0.05 * Math.sin(at * (run + 1));
    const monitored =
      at % 20 === 0
        ? { updateRatios: { 'a.weight': 1e-3 / (run + 1), 'b.weight': 2e-4, 'b.bias': 1e-2 }, gradNorm: 1 / loss }
        : {};
    const memory = { live: 3e7, pooled: 1e7, peak: 5e7, rss: 2e8 };
    events.push(
      step(at, {
        metrics: { loss, accuracy: 1 - 1 / Math.sqrt(at + 1) },
        samplesPerSecond: 1000 + run,
        memory,
        ...monitored,
      }),
    );
    if (at % (steps / 10) === 0) {
      const metrics = { loss, val_loss: loss + 0.1, val_accuracy: 0.9 + run / 1000, ema_val_accuracy: 0.95 };
      events.push(epoch((10 * at) / steps, { step: at, metrics }));
    }
  }
  events.push(stop(steps));
  return events;
}

async function addRun(root: string, run: number, steps: number): Promise<string> {
  const folder = join(root, `sweep/run${run}`);
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({ title: `run ${run}`, config: { lr: run % 2 ? 0.1 : 0.01, seed: run } }),
  );
  await writeFile(join(folder, 'metrics.jsonl'), lines(eventsOf(run, steps)));
  return folder;
}

/** Whether a chart's canvas has pixels of a run's colour, in the upper share of it. */
const draws = (chart: string, run: number, upper = 1): string => `(() => {
  const canvas = document.querySelector('[data-chart="${chart}"] canvas');
  const row = document.querySelector('[data-run="sweep/run${run}"] .swatch');
  if (!canvas || !row) return false;
  const [r, g, b] = getComputedStyle(row).borderTopColor.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, Math.round(${upper} * canvas.height));
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 12) return true;
  return false;
})()`;

const inCharts = '[...document.querySelectorAll("#charts section")]';

describe('dashboard in a browser', { skip: noBrowser }, () => {
  let browser: Browser;
  let root: string;
  let dashboard: Dashboard;
  const failures: string[] = [];

  before(async () => {
    browser = await launch();
    root = await mkdtemp(join(tmpdir(), 'anneal-dashboard-'));
    for (const run of [0, 1, 2]) await addRun(root, run, 400);
    dashboard = await Dashboard.start(root, { interval: 100 });
  });
  after(async () => {
    await browser?.close();
    await dashboard?.close();
    await rm(root, { recursive: true, force: true });
    assert.deepEqual(failures, [], 'errors of the page');
  });

  async function open(url = dashboard.url): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, colorScheme: 'light' });
    page.on('pageerror', (error) => failures.push(error.message));
    page.on('console', (message) => {
      // A browser notes every answer of an aborted or refused request; what the page throws is told above.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        failures.push(message.text());
    });
    await page.goto(url);
    await page.locator('.run').first().waitFor();
    return page;
  }

  async function placeOf(page: Page, chart: string): Promise<{ x: number; y: number; width: number; height: number }> {
    const over = page.locator(`[data-chart="${chart}"] .u-over`);
    await over.waitFor();
    const box = await over.boundingBox();
    assert.ok(box);
    return box;
  }

  test('curves of all runs appear, in charts for everything that was measured', async () => {
    const page = await open();
    for (const run of [0, 1, 2]) await until(page, draws('metric/loss', run));
    const charts = await page.evaluate<string[]>(`${inCharts}.map(({ dataset }) => dataset.chart)`);
    assert.deepEqual(charts, [
      'metric/loss',
      'metric/accuracy',
      'lr',
      'update_ratio',
      'grad_norm',
      'throughput',
      'memory',
    ]);
    assert.deepEqual(await page.locator('.run .name').allTextContents(), ['run 2', 'run 1', 'run 0']);
    assert.match((await page.locator('.run .note').first().textContent()) ?? '', /^completed · step 400 · 95\.00%$/);
    const cells = await page.locator('#table tbody tr').first().textContent();
    assert.match(cells ?? '', /^run 2400/);
    assert.deepEqual(await page.locator('#table th').allTextContents(), [
      'run',
      'step',
      'loss',
      'best val loss',
      'best val accuracy',
      'best ema val accuracy',
      'samples/s',
      'lr',
      'seed',
    ]);
  });

  test('hover shows the values of every run at that step', async () => {
    const page = await open();
    await until(page, draws('metric/loss', 0));
    const { x, y, width, height } = await placeOf(page, 'metric/loss');
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.locator(`[data-chart='metric/loss'] .tip`).waitFor();
    const tip = (await page.locator(`[data-chart='metric/loss'] .tip`).textContent()) ?? '';
    assert.match(tip, /^step (19\d|20\d)/);
    for (const run of [0, 1, 2]) assert.match(tip, new RegExp(`run ${run}, training\\d\\.\\d+`));
    await page.mouse.move(1, 1);
    await until(page, 'document.querySelector(".tip") === null');
  });

  test('a drag zooms all charts, a double click shows everything again', async () => {
    const page = await open();
    await until(page, draws('metric/loss', 0));
    const { x, y, width, height } = await placeOf(page, 'metric/loss');
    await page.mouse.move(x + width * 0.25, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.5, y + height / 2, { steps: 4 });
    await page.mouse.up();
    await until(page, '!document.getElementById("reset").disabled');
    const left = await placeOf(page, 'metric/accuracy');
    await page.mouse.move(left.x + 1, left.y + 20);
    await until(
      page,
      `/^step (9\\d|10\\d)/.test(document.querySelector("[data-chart='metric/accuracy'] .tip")?.textContent ?? "")`,
    );
    await page.mouse.dblclick(x + width / 2, y + height / 2);
    await until(page, 'document.getElementById("reset").disabled');
  });

  test('the filter goes by names and settings; runs are shown and hidden', async () => {
    const page = await open();
    await page.locator('#filter').fill('lr=0.1');
    assert.deepEqual(await page.locator('.run .name').allTextContents(), ['run 1']);
    await until(page, draws('metric/loss', 1));
    await until(page, 'document.querySelectorAll("#table tbody tr").length === 1');
    await page.locator('#filter').fill('');
    await page.locator('.run').nth(0).click();
    await until(page, `!${draws('metric/loss', 2)}`);
    assert.equal(await page.locator('.run').nth(0).getAttribute('aria-selected'), 'false');
    await page.locator('.run').nth(2).dblclick();
    await until(page, 'document.querySelectorAll("[aria-selected=true]").length === 1');
    await until(page, 'document.querySelector("#table td").textContent === "run 0"');
  });

  test('themes', async () => {
    const page = await open();
    const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await page.locator('#theme').click();
    assert.equal(await page.locator('#theme').textContent(), 'Theme: light');
    await page.locator('#theme').click();
    assert.equal(await page.locator('#theme').textContent(), 'Theme: dark');
    assert.notEqual(await background(), light);
    await until(page, draws('metric/loss', 0));
  });

  test('by keyboard alone', async () => {
    const page = await open();
    await until(page, draws('metric/loss', 0));
    const active = () => page.evaluate<string>('document.activeElement.id || document.activeElement.className');
    await page.keyboard.press('?');
    await until(page, 'document.getElementById("help").open');
    await page.keyboard.press('Escape');
    await until(page, '!document.getElementById("help").open');
    await page.keyboard.press('/');
    await page.keyboard.type('seed=1');
    assert.deepEqual([await active(), await page.locator('.run').count()], ['filter', 1]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.keyboard.press('r');
    await page.keyboard.press('ArrowUp');
    assert.equal(await active(), 'run-sweep/run2');
    await page.keyboard.press('ArrowDown');
    assert.equal(await active(), 'run-sweep/run1');
    await page.keyboard.press('Space');
    assert.equal(await page.locator('.run').nth(1).getAttribute('aria-selected'), 'false');
    await page.keyboard.press('Enter');
    await until(page, 'document.querySelectorAll("[aria-selected=true]").length === 1');
    await page.keyboard.press('a');
    await until(page, 'document.querySelectorAll("[aria-selected=true]").length === 3');
    await page.keyboard.press('c');
    await until(page, `document.activeElement.matches("[data-chart='metric/loss'] .plot")`);
    await page.keyboard.press('ArrowRight');
    // Also where the curves of the two other runs come after it.
    await until(page, draws('metric/loss', 0));
    await until(page, `document.querySelector("[data-chart='metric/loss'] .tip") !== null`);
    await page.keyboard.press('+');
    await until(page, '!document.getElementById("reset").disabled');
    await page.keyboard.press('0');
    await until(page, 'document.getElementById("reset").disabled');
    await page.keyboard.press('l');
    assert.equal(await page.evaluate('document.getElementById("scale").value'), 'linear');
    await page.keyboard.press(']');
    assert.equal(await page.locator('#smooth-steps').textContent(), '40 steps');
    await page.keyboard.press('n');
    await until(
      page,
      `document.querySelector("[data-chart='metric/loss'] .waiting").textContent === "no run is selected"`,
    );
  });

  test('a run appears while the page is open, and its curves grow', async () => {
    const page = await open();
    await until(page, draws('metric/loss', 2));
    const folder = await addRun(root, 3, 100);
    await until(page, 'document.querySelectorAll(".run").length === 4');
    await until(page, draws('metric/loss', 3));
    for (let at = 101; at <= 104; at += 1) {
      await appendFile(join(folder, 'metrics.jsonl'), lines([step(at, { metrics: { loss: 0.01 } })]));
      await until(page, `document.querySelector('.run .note').textContent.includes('step ${at}')`);
    }
    assert.match((await page.locator('.run .note').first().textContent()) ?? '', /^running/);
    await rm(folder, { recursive: true });
    await until(page, 'document.querySelectorAll(".run").length === 3');
  });

  test('bounds of ratios are those of the runs shown; activations by layer; what a run failed with', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'anneal-dashboard-'));
    context.after(() => rm(folder, { recursive: true }));
    const statistics = { mean: 0.1, standardDeviation: 1, zeros: 0.5, dead: 0.25 };
    for (const [run, upper] of [0.01, 0.1].entries()) {
      const dir = join(folder, `sweep/run${run}`);
      await mkdir(dir, { recursive: true });
      const callbacks = [{ name: 'updateRatio', settings: { upper, lower: 1e-6 } }];
      await writeFile(join(dir, 'config.json'), JSON.stringify({ title: `run ${run}`, callbacks }));
      const steps = [1, 50, 100].map((at) =>
        step(at, { updateRatios: { 'a.weight': 1e-4 }, activations: { relu1: statistics, dense2: statistics } }),
      );
      const end = run === 0 ? stop(100) : { ...stop(100, 'error'), error: 'E_IO: the disk is full' };
      await writeFile(join(dir, 'metrics.jsonl'), lines([start, ...steps, end]));
    }
    await using server = await Dashboard.start(folder);
    const page = await open(server.url);
    const charts = await page.evaluate<string[]>(`${inCharts}.map(({ dataset }) => dataset.chart)`);
    const activations = ['activation_mean', 'activation_sd', 'zeros', 'dead_units'];
    assert.deepEqual(charts, ['metric/loss', 'lr', 'update_ratio', ...activations]);
    // The curves lie below the middle: above it there are the bounds, in the colours of their runs.
    for (const run of [0, 1]) await until(page, draws('update_ratio', run, 0.4));
    await page.locator('[data-run="sweep/run0"]').dblclick();
    await until(page, `${draws('update_ratio', 0)} && !${draws('update_ratio', 1)}`);
    await until(page, `!${draws('update_ratio', 0, 0.4)}`);
    await page.evaluate('document.querySelector("[data-chart=dead_units]").scrollIntoView()');
    await page.locator('[data-chart="dead_units"] .chip').first().waitFor();
    assert.deepEqual(await page.locator('[data-chart="dead_units"] .chip').allTextContents(), ['relu1', 'dense2']);
    assert.equal(await page.locator('[data-run="sweep/run1"] .error').textContent(), 'E_IO: the disk is full');
    assert.equal(await page.locator('[data-run="sweep/run1"] .failed').count(), 1);
    await page.locator('#filter').fill('disk');
    assert.deepEqual(await page.locator('.run .name').allTextContents(), ['run 1']);
  });

  test('50 runs of 10,000 steps: the page goes on drawing frames', { timeout: 120_000 }, async (context) => {
    const many = await mkdtemp(join(tmpdir(), 'anneal-dashboard-'));
    context.after(() => rm(many, { recursive: true }));
    for (let run = 0; run < 50; run += 1) await addRun(many, run, 10_000);
    await using server = await Dashboard.start(many);
    const page = await open(server.url);
    await page.evaluate(
      'void (function count() { window.frames_ = (window.frames_ ?? 0) + 1; requestAnimationFrame(count); })()',
    );
    await page.keyboard.press('a');
    for (const run of [0, 25, 49]) await until(page, draws('metric/loss', run));
    const { x, y, width, height } = await placeOf(page, 'metric/loss');
    const before = await page.evaluate<{ frames: number; now: number }>(
      '({ frames: window.frames_, now: performance.now() })',
    );
    await page.mouse.move(x, y + height / 2);
    await page.mouse.move(x + width - 2, y + height / 3, { steps: 40 });
    await page.mouse.down();
    await page.mouse.move(x + width / 2, y + height / 3, { steps: 10 });
    await page.mouse.up();
    await until(page, '!document.getElementById("reset").disabled');
    await page.keyboard.press('0');
    await until(page, 'document.getElementById("reset").disabled');
    const end = await page.evaluate<{ frames: number; now: number }>(
      '({ frames: window.frames_, now: performance.now() })',
    );
    const mean = (end.now - before.now) / (end.frames - before.frames);
    context.diagnostic(`${end.frames - before.frames} frames, ${mean.toFixed(1)} ms each`);
    assert.ok(end.frames - before.frames >= 10 && mean < 250, `${end.frames - before.frames} frames, ${mean} ms each`);
  });
});
