// 200 steps of every schedule against PyTorch's schedulers: test/fixtures/make_schedule_fixtures.py.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { kinds } from '../../src/schedule/from_json.js';
import * as schedule from '../../src/schedule/index.js';

interface Fixture {
  readonly source: string;
  readonly schedule: { readonly kind: string; readonly params: object };
  readonly values: readonly number[];
}

const fixtures = JSON.parse(readFileSync(new URL('../fixtures/schedules.json', import.meta.url), 'utf8')) as Fixture[];

// PyTorch's schedulers multiply and add step by step: 200 roundings of a double at a magnitude of 0.1. 2e-15 was measured at
// worst.
const TOLERANCE = 1e-14;

for (const { source, schedule: json, values } of fixtures) {
  test(`${json.kind} ${JSON.stringify(json.params)} has the values of ${source}`, () => {
    const s = schedule.fromJSON(json);
    assert.equal(values.length, 200);
    values.forEach((value, t) => {
      const difference = Math.abs(s.at(t) - value);
      assert.ok(
        difference <= TOLERANCE * Math.max(0.1, Math.abs(value)),
        `step ${t}: expected ${value}, received ${s.at(t)}`,
      );
    });
  });
}

test('every kind has stored values', () => {
  const stored = new Set(fixtures.map(({ schedule: { kind } }) => kind));
  assert.deepEqual(
    kinds.map(({ name }) => name).filter((name) => !stored.has(name)),
    [],
  );
});
