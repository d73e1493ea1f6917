// Line charts: where points, ticks and marks come to lie.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineChart } from '../../src/chart/index.js';
import { decades } from '../../src/chart/ticks.js';
import { refuses } from '../support/refuses.js';

const pathsOf = (svg: string): number[][][] =>
  [...svg.matchAll(/class="curve[^>]* d="M([\d.,L-]+)"/g)].map(([, path = '']) =>
    path.split('L').map((place) => place.split(',').map(Number)),
  );

test('a line runs from corner to corner of its axes', () => {
  const [line = []] = pathsOf(
    lineChart(
      [
        {
          name: 'a',
          points: [
            [0, 0],
            [5, 5],
            [10, 10],
          ],
        },
      ],
      { width: 400, height: 200 },
    ),
  );
  // The middle point lies on the line.
  assert.equal(line.length, 2);
  const [[x0 = 0, y0 = 0] = [], [x1 = 0, y1 = 0] = []] = line;
  assert.equal(x1, 400 - 24);
  assert.equal(y0, 200 - 44);
  assert.ok(x0 > 24 && x0 < 60 && y1 === 18);
});

test('an axis of whole numbers has no ticks between them', () => {
  const xTexts = (last: number): string[] => {
    const svg = lineChart([
      {
        name: 'a',
        points: [
          [1, 0],
          [last, 1],
        ],
      },
    ]);
    return [...svg.matchAll(/text-anchor="middle">([^<]*)</g)].map(([, text = '']) => text);
  };
  assert.deepEqual(xTexts(4), ['1', '2', '3', '4']);
  assert.deepEqual(xTexts(2.5), ['1', '1.2', '1.4', '1.6', '1.8', '2', '2.2', '2.4']);
});

test('on a logarithmic axis powers of ten are as far from each other', () => {
  const svg = lineChart(
    [
      {
        name: 'a',
        points: [
          [0.01, 1],
          [0.1, 3],
          [1, 2],
          [10, 5],
        ],
      },
    ],
    { xLog: true },
  );
  const [line = []] = pathsOf(svg);
  const steps = line.slice(1).map(([x = 0], i) => x - (line[i]?.[0] ?? 0));
  for (const step of steps) assert.ok(Math.abs(step - (steps[0] ?? 0)) < 0.02, steps.join());
  for (const label of ['0.01', '0.1', '1', '10']) assert.ok(svg.includes(`>${label}</text>`), label);
  assert.deepEqual(decades(1e-6, 10, 4), [1e-6, 1e-4, 1e-2, 1]);
});

test('names and words are escaped, marks drawn, lines told apart', () => {
  const lines = [
    {
      name: 'a < b',
      points: [
        [0, 1],
        [1, 2],
      ] as const,
    },
    { name: 'none', points: [] },
  ];
  const svg = lineChart(lines, { title: 'x & y', marks: [{ x: 0.5, label: '"half"' }] });
  assert.match(svg, /x &amp; y/);
  assert.match(svg, /a &lt; b/);
  assert.match(svg, /&quot;half&quot;/);
  assert.equal(svg.match(/class="curve c1"/g)?.length, 1, 'only in the legend');
});

test('what cannot be drawn is refused', () => {
  const one =
    (points: readonly (readonly [number, number])[], options = {}) =>
    () =>
      lineChart([{ name: 'a', points }], options);
  refuses(one([]), 'E_ARGUMENT', /a line with points, received none/);
  refuses(one([[0, Number.NaN]]), 'E_ARGUMENT', /finite values/);
  refuses(one([[0, 1]], { xLog: true }), 'E_ARGUMENT', /positive values on a logarithmic axis, received 0/);
  refuses(one([[0, 1]], { width: 0 }), 'E_ARGUMENT', /width/);
});

test('a line of more points than a call takes arguments', () => {
  const points = Array.from({ length: 200_000 }, (_, x) => [x, x % 2] as const);
  const [line = []] = pathsOf(lineChart([{ name: 'a', points }], { width: 400, height: 200 }));
  assert.equal(line.at(-1)?.[0], 400 - 24);
});
