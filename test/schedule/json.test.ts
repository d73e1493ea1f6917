// Any schedule, however nested, is the same after JSON, is pure, and holds its last value past its end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { kinds } from '../../src/schedule/from_json.js';
import * as schedule from '../../src/schedule/index.js';
import type { Field } from '../../src/schedule/kind.js';
import type { Schedule } from '../../src/schedule/schedule.js';

const rate = fc.double({ min: 0, max: 10, noNaN: true });
const steps = fc.double({ min: 0.5, max: 1000, noNaN: true });
const whole = fc.integer({ min: 1, max: 300 });
const factor = fc.double({ min: 0.5, max: 1, noNaN: true });
const anneal = fc.constantFrom('cosine' as const, 'linear' as const);
const ascending = fc.array(whole, { minLength: 1, maxLength: 5 }).map((gaps) => {
  let at = 0;
  return gaps.map((gap) => {
    at += gap;
    return at;
  });
});
/** Each option there or not. */
const given = <T extends object, R extends keyof T = never>(
  model: { [K in keyof T]: fc.Arbitrary<T[K]> },
  required: R[],
) => fc.record(model, { requiredKeys: required });
const cycle = {
  steps: fc.integer({ min: 50, max: 500 }),
  pctStart: fc.double({ min: 0.1, max: 0.4, noNaN: true }),
  anneal,
  threePhase: fc.boolean(),
};
const triangle = { base: rate, max: rate, up: steps, down: steps };

const simple: Readonly<Record<string, fc.Arbitrary<Schedule>>> = {
  constant: given({ value: rate, steps }, ['value']).map(schedule.constant),
  step: fc.record({ from: rate, gamma: factor, every: steps }).map(schedule.step),
  milestones: fc.record({ from: rate, gamma: factor, milestones: ascending }).map(schedule.milestones),
  exponential: fc.oneof(
    fc.record({ from: rate, k: factor }).map(schedule.exponential),
    given({ from: rate, gamma: factor, every: steps, continuous: fc.boolean() }, ['from', 'gamma']).map(
      schedule.exponential,
    ),
  ),
  linear: given({ from: rate, end: rate, steps }, ['from', 'steps']).map(schedule.linear),
  polynomial: given({ from: rate, end: rate, steps, power: steps }, ['from', 'steps']).map(schedule.polynomial),
  cosine: given({ from: rate, min: rate, steps }, ['from', 'steps']).map(schedule.cosine),
  cosineRestarts: given({ from: rate, min: rate, T0: steps, tMult: fc.double({ min: 1, max: 3, noNaN: true }) }, [
    'from',
    'T0',
  ]).map(schedule.cosineRestarts),
  oneCycle: given({ max: rate, ...cycle, divFactor: steps, finalDivFactor: steps }, ['max', 'steps']).map(
    schedule.oneCycle,
  ),
  oneCycleMomentum: given({ base: rate, max: rate, ...cycle }, ['steps']).map(schedule.oneCycleMomentum),
  triangular: given(triangle, ['base', 'max', 'up']).map(schedule.triangular),
  triangular2: given(triangle, ['base', 'max', 'up']).map(schedule.triangular2),
  expRange: given({ ...triangle, gamma: factor }, ['base', 'max', 'up', 'gamma']).map(schedule.expRange),
  inverseSqrt: fc.record({ from: rate }).map(schedule.inverseSqrt),
  inverseSqrtWarmup: given({ to: rate, warmup: steps, timescale: steps }, ['to', 'warmup']).map(
    schedule.inverseSqrtWarmup,
  ),
  noam: given({ dModel: whole, warmup: steps, factor: rate }, ['dModel', 'warmup']).map(schedule.noam),
  warmup: fc.oneof(
    given({ from: rate, to: rate, steps, shape: fc.constantFrom('linear' as const, 'constant' as const) }, [
      'to',
      'steps',
    ]).map(schedule.warmup),
    fc.record({ from: steps, to: steps, steps, shape: fc.constant('exponential' as const) }).map(schedule.warmup),
  ),
  wsd: given(
    {
      max: rate,
      warmup: rate,
      stable: rate,
      decay: steps,
      from: rate,
      min: rate,
      shape: fc.constantFrom('linear' as const, 'cosine' as const, '1-sqrt' as const),
    },
    ['max', 'warmup', 'stable', 'decay'],
  ).map(schedule.wsd),
  swaRate: given({ from: rate, to: rate, steps, anneal }, ['from', 'to', 'steps']).map(schedule.swaRate),
};

const { tree } = fc.letrec<{ tree: Schedule; leaf: Schedule }>((tie) => {
  const list = fc.array(tie('tree'), { minLength: 1, maxLength: 4 });
  const boundaries = fc.array(whole, { minLength: 3, maxLength: 3 });
  return {
    leaf: fc.oneof(...Object.values(simple)),
    tree: fc.oneof(
      { maxDepth: 3 },
      tie('leaf'),
      fc.tuple(list, boundaries).map(([parts, gaps]) => {
        let at = 0;
        const begins = gaps.slice(0, parts.length - 1).map((gap) => {
          at += gap;
          return at;
        });
        const ends = parts.slice(0, -1).every(({ length }) => Number.isFinite(length));
        return ends && begins.length % 2 === 1 ? schedule.join(parts) : schedule.join(parts, { boundaries: begins });
      }),
      list.map(schedule.chain),
      fc.tuple(tie('tree'), rate).map(([inner, by]) => schedule.scale(inner, by)),
      fc
        .tuple(tie('tree'), given({ stepsPerEpoch: steps, continuous: fc.boolean() }, ['stepsPerEpoch']))
        .map(([inner, options]) => schedule.perEpoch(inner, options)),
    ),
  };
});

test('the generator makes every kind', () => {
  const names = [...Object.keys(simple), 'join', 'chain', 'scale', 'perEpoch'].sort();
  assert.deepEqual(kinds.map(({ name }) => name).sort(), names);
});

test('any schedule survives JSON, is pure and finite, and holds its last value', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.double({ min: 0, max: 3000, noNaN: true }), { maxLength: 8 }), (s, times) => {
      const again = schedule.fromJSON(JSON.parse(JSON.stringify(s)));
      assert.deepEqual(again.toJSON(), s.toJSON());
      assert.equal(again.length, s.length);
      const before = times.map((t) => s.at(t));
      assert.deepEqual(
        [...times].reverse().map((t) => again.at(t)),
        [...before].reverse(),
      );
      for (const value of before) assert.ok(Number.isFinite(value), `${JSON.stringify(s)}: ${before}`);
      if (Number.isFinite(s.length)) assert.equal(s.at(s.length + 1), s.at(2 * s.length + 7));
    }),
    { numRuns: 400 },
  );
});

test('options left out are filled in, and written out they give the same schedule', () => {
  for (const { name, fields, make } of kinds) {
    for (const [option, { fallback }] of Object.entries<Field<unknown>>(fields)) {
      if (fallback === undefined) continue;
      const ordinary = (simple[name] ?? tree.filter(({ kind }) => kind === name)).filter(
        // whose `from` has no default
        ({ params }) => params.shape !== 'exponential',
      );
      const [made] = fc.sample(ordinary, { numRuns: 1, seed: 7 });
      assert.ok(made);
      const { [option]: _, ...others } = made.params;
      const without = make(others, schedule.fromJSON);
      assert.deepEqual(without.params[option], fallback, `${name}: ${option}`);
      assert.deepEqual(make({ ...others, [option]: fallback }, schedule.fromJSON).toJSON(), without.toJSON());
    }
  }
});
