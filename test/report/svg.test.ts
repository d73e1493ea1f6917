import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report } from '../../src/index.js';
import { refuses } from '../support/refuses.js';

const history = [0.9, 0.5, 0.4].map((loss, epoch) => ({ epoch, metrics: { loss, val_loss: loss + 0.1 } }));
const texts = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);
const curves = (svg: string): number => svg.match(/<path class="curve c\d"[^>]* d="M[^"]*L/g)?.length ?? 0;

test('the metrics of a run, a line each, over epochs from 1', () => {
  const svg = report.svg(history, { metrics: ['loss', 'val_loss'], title: 'A run' });
  assert.equal(curves(svg), 2);
  for (const text of ['A run', 'loss', 'val_loss', 'epoch', '1', '3']) assert.ok(texts(svg).includes(text), text);
});

test('runs by name, also where some epochs lack the metric', () => {
  const sparse = [{ epoch: 0, metrics: {} }, ...history.slice(1)];
  const one = report.svg({ wide: history, narrow: sparse }, { metrics: 'loss' });
  assert.equal(curves(one), 2);
  for (const text of ['wide', 'narrow']) assert.ok(texts(one).includes(text), text);
  const both = report.svg({ wide: history, narrow: history }, { metrics: ['loss', 'val_loss'] });
  for (const text of ['wide loss', 'narrow val_loss']) assert.ok(texts(both).includes(text), text);
  assert.equal(curves(report.svg({ only: history }, { metrics: 'loss' })), 1);
});

test('what there is none of is named', () => {
  refuses(
    () => report.svg(history, { metrics: 'accuracy' }),
    'E_ARGUMENT',
    /metrics of loss, val_loss, received 'accuracy'/,
  );
  refuses(() => report.svg([], { metrics: 'loss' }), 'E_ARGUMENT', /metrics of an epoch, received 'loss'/);
  refuses(() => report.svg({}, { metrics: 'loss' }), 'E_ARGUMENT', /a line with points/);
});
