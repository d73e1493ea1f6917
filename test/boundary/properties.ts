// The properties behind property.test.ts, run as a process of its own. Prints the name of each before it begins, so that
// a crash tells where it was.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import fc from 'fast-check';
import { callBlock, encodeParams, opInfo, raw } from '../support/raw.js';
import { hostile, oddNumber } from './hostile.js';
import { acceptedImages, augmentProperty, mixProperty } from './image_property.js';
import { accepted, opProperty, timed } from './op_property.js';
import { completed, publicOps, publicProperty } from './public_property.js';
import { expectRefusal, isRefusal } from './refusal.js';

const seed = Number(process.env.ANNEAL_FUZZ_SEED ?? 1);
const factor = Number(process.env.ANNEAL_FUZZ_RUNS ?? 1);

/** Takes the buffer away from under a typed array. */
function detach<T extends Uint8Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** A typed array over a resizable buffer that shrank under it: `tracking` follows the length, else it is out of bounds. */
function shrunk(from: number, to: number, tracking: boolean): Uint8Array {
  const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [from, { maxByteLength: 2 * from }]);
  const array = tracking ? new Uint8Array(buffer) : new Uint8Array(buffer, from >> 1, from >> 1);
  Reflect.apply(Reflect.get(buffer, 'resize'), buffer, [to]);
  return array;
}

type Name = keyof typeof raw;

function attempt(name: Name, args: readonly unknown[]): { value: unknown } | { refused: true } {
  try {
    return { value: Reflect.apply(raw[name], undefined, args) };
  } catch (error) {
    assert.ok(isRefusal(error), `${name}: expected an AnnealError, received ${String(error)}`);
    return { refused: true };
  }
}

const properties: [name: string, runs: number, property: fc.IProperty<unknown> | fc.IAsyncProperty<unknown>][] = [];
const property = (name: string, runs: number, p: fc.IProperty<unknown> | fc.IAsyncProperty<unknown>) =>
  properties.push([name, runs, p]);

/** A live buffer of 64 bytes that holds 0, 1, 2, ... for the time of `body`, and is unharmed after it. */
function withBuffer(body: (handle: number) => void): void {
  const handle = raw.alloc(64);
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
  raw.write(handle, 0, bytes);
  body(handle);
  assert.deepEqual(new Uint8Array(raw.readSync(handle, 0, 64)), bytes);
  raw.free(handle);
}

// A setThreads or setIsa that is accepted would slow what follows; they have properties of their own below.
for (const name of Object.keys(raw) as Name[]) {
  if (['setThreads', 'setIsa', 'submit', 'checkCall'].includes(name)) continue;
  property(
    `${name} with any arguments`,
    300,
    fc.asyncProperty(fc.array(hostile, { maxLength: 6 }), async (args) => {
      const result = attempt(name, args);
      if (!('value' in result)) return;
      // What is left to succeed: an allocation (or reading and writing nothing is refused: no handle is live).
      if (name === 'alloc') raw.free(Number(result.value));
      else if (name === 'profileStart') raw.profileStop();
      else if (name === 'failAllocation' || name === 'failScratch') raw[name](0, 0);
      else if (name === 'failOp') raw.failOp(0, 0, 0);
      else
        assert.ok(
          [
            ...['memory', 'trim', 'ops', 'device', 'sync', 'wait', 'callBlock', 'submitted', 'queued'],
            ...['cudaDevices', 'openCuda'],
          ].includes(name),
          `${name} accepted ${args.length} arguments`,
        );
      await result.value;
    }),
  );
}

property(
  'setThreads refuses what is no number of threads',
  100,
  fc.property(hostile, (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 1024) return;
    expectRefusal(() => attemptRaw('setThreads', [value]));
    assert.ok(raw.device().threads >= 1);
  }),
);
property(
  'setIsa refuses what is no instruction set',
  100,
  fc.property(fc.oneof(hostile, fc.string()), (value) => {
    if (typeof value === 'string' && raw.device().runnable.some((isa) => isa === value)) return;
    expectRefusal(() => attemptRaw('setIsa', [value]));
  }),
);

function attemptRaw(name: Name, args: readonly unknown[]): void {
  Reflect.apply(raw[name], undefined, args);
}

property(
  'a range outside of the buffer is refused',
  300,
  fc.property(
    fc.oneof(oddNumber, fc.integer({ min: 0, max: 80 })),
    fc.oneof(oddNumber, fc.integer({ min: 0, max: 80 })),
    (offset, length) => {
      withBuffer((handle) => {
        const fits = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0;
        if (fits && offset + length <= 64) {
          const bytes = new Uint8Array(raw.readSync(handle, offset, length));
          assert.ok(bytes.length === length);
          assert.ok(bytes.every((byte, i) => byte === offset + i));
        } else {
          expectRefusal(() => raw.readSync(handle, offset, length));
          expectRefusal(() => raw.read(handle, offset, length));
          if (Number.isInteger(length) && length >= 0 && length < 1000)
            expectRefusal(() => raw.write(handle, offset, new Uint8Array(length)));
        }
      });
    },
  ),
);

property(
  'freed and foreign handles are refused',
  300,
  fc.property(fc.integer({ min: -3, max: 3 }), fc.integer({ min: 1, max: 52 }), hostile, (step, bit, collected) => {
    const handle = raw.alloc(16);
    attemptRaw('free', [handle, collected]);
    const other = raw.alloc(16); // most likely the same slot, of another generation
    for (const bad of [handle, handle + step, other + 2 ** bit, other - 2 ** bit, 2 ** bit]) {
      if (bad === other) continue;
      expectRefusal(() => attemptRaw('free', [bad, collected]));
      expectRefusal(() => raw.write(bad, 0, new Uint8Array(1)));
      expectRefusal(() => raw.readSync(bad, 0, 1));
      expectRefusal(() => raw.read(bad, 0, 1));
    }
    raw.free(other);
  }),
);

property(
  'memory is counted right, whatever free is told of the garbage collector',
  60,
  fc.property(
    fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ alloc: fc.integer({ min: 0, max: 4 * 2 ** 20 }) }) },
        { weight: 4, arbitrary: fc.record({ free: fc.nat(), collected: hostile }) },
        { weight: 1, arbitrary: fc.constant('trim') },
      ),
      { minLength: 1, maxLength: 40 },
    ),
    (steps) => {
      const start = raw.memory();
      const held: { handle: number; bytes: number }[] = [];
      for (const step of steps) {
        if (step === 'trim') raw.trim();
        else if ('alloc' in step) held.push({ handle: raw.alloc(step.alloc), bytes: step.alloc });
        else {
          const [gone] = held.splice(step.free % Math.max(held.length, 1), 1);
          if (gone) attemptRaw('free', [gone.handle, step.collected]);
        }
        const { liveBytes, liveBuffers } = raw.memory();
        assert.equal(liveBuffers - start.liveBuffers, held.length);
        assert.equal(
          liveBytes - start.liveBytes,
          held.reduce((sum, { bytes }) => sum + bytes, 0),
        );
      }
      for (const { handle } of held) raw.free(handle, true);
    },
  ),
);

property(
  'detached and shrunk arrays are refused or empty, never read beyond',
  200,
  fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 0, max: 64 }), (size, left) => {
    withBuffer((handle) => {
      expectRefusal(() => raw.write(handle, 0, detach(new Uint8Array(size))));
      const info = opInfo('adam');
      const operands = new Float64Array(3 * (info.minIn + info.minOut));
      expectRefusal(() => raw.run(info.id, detach(new Uint8Array(info.paramBytes)), operands, info.minIn, info.minOut));
      const gone = detach(operands.slice());
      expectRefusal(() => raw.run(info.id, new Uint8Array(info.paramBytes), gone, info.minIn, info.minOut));
      expectRefusal(() =>
        raw.run(info.id, shrunk(info.paramBytes, info.paramBytes - 1, true), operands, info.minIn, info.minOut),
      );
    });
    const handle = raw.alloc(128);
    for (const tracking of [true, false]) {
      const from = 64 + size;
      const array = shrunk(from, Math.min(left, from), tracking);
      raw.write(handle, 0, new Uint8Array(128).fill(0xee));
      const before = array.length;
      const result = attempt('write', [handle, 0, array]);
      const bytes = new Uint8Array(raw.readSync(handle, 0, 128));
      const written = 'value' in result ? before : 0;
      assert.ok(bytes.subarray(written).every((byte) => byte === 0xee));
    }
    raw.free(handle);
  }),
);

property(
  'absurd sizes are refused',
  60,
  fc.property(
    fc.constantFrom(-1, -(2 ** 40), 2 ** 46, 2 ** 50, 2 ** 52, 2 ** 53, 2 ** 63, 1e300, Number.NaN, 0.5),
    (bytes) => {
      const before = raw.memory();
      expectRefusal(() => raw.alloc(bytes));
      assert.equal(raw.memory().liveBuffers, before.liveBuffers);
    },
  ),
);

property(
  'run refuses operands that are none',
  500,
  fc.property(
    fc.integer({ min: 0, max: raw.ops().length - 1 }),
    fc.array(hostile, { minLength: 0, maxLength: 4 }),
    fc.array(fc.oneof(oddNumber, fc.double()), { maxLength: 48 }),
    fc.oneof(oddNumber, fc.integer({ min: 0, max: 9 })),
    fc.oneof(oddNumber, fc.integer({ min: 0, max: 9 })),
    (op, args, numbers, nIn, nOut) => {
      // No handle is live: only an op whose operands are all absent or empty can be accepted.
      attempt('run', [op, ...args]);
      attempt('run', [op, new Uint8Array(raw.ops()[op]?.paramBytes ?? 0), Float64Array.from(numbers), nIn, nOut]);
      attempt('wait', []);
    },
  ),
);

property(
  'submit refuses a call block that makes no sense',
  500,
  fc.property(
    fc.array(fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 40 })), { maxLength: 4 }),
    fc.uint8Array({ maxLength: 256 }),
    fc.array(fc.oneof(oddNumber, fc.double()), { maxLength: 48 }),
    fc.array(hostile, { maxLength: 3 }),
    (head, params, operands, args) => {
      callBlock.head.set(head);
      callBlock.params.set(params);
      callBlock.operands.set(operands);
      // As above: no handle is live.
      attempt('submit', args);
      attempt('wait', []);
    },
  ),
);

property(
  'plans of ops and operands that make no sense are refused when they are made or run',
  500,
  fc.property(
    fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: raw.ops().length }),
        fc.nat(3),
        fc.nat(2),
        fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
      ),
      { maxLength: 4 },
    ),
    fc.array(fc.tuple(fc.integer({ min: -1, max: 4 }), fc.nat(80), fc.nat(80)), { maxLength: 12 }),
    fc.oneof(oddNumber, fc.nat(4)),
    fc.array(fc.oneof(oddNumber, fc.nat(80)), { maxLength: 12 }),
    fc.nat(400),
    (ops, operands, slots, bindings, paramBytes) => {
      withBuffer((handle) => {
        const made = attempt('planCreate', [slots, Uint32Array.from(ops.flat()), Float64Array.from(operands.flat())]);
        if (!('value' in made)) return;
        // The buffer is bound by nobody: it must stay as it is.
        const numbers = Float64Array.from(bindings.map((value, i) => (i % 3 === 0 && value === handle ? 0 : value)));
        attempt('planRun', [made.value, numbers, new Uint8Array(paramBytes)]);
        attempt('planRun', [made.value, new Float64Array(3 * Number(slots)), new Uint8Array(paramBytes)]);
        attempt('wait', []);
        raw.planFree(Number(made.value));
        expectRefusal(() => attemptRaw('planRun', [made.value, numbers, new Uint8Array(paramBytes)]));
        expectRefusal(() => attemptRaw('planFree', [made.value]));
      });
    },
  ),
);

property(
  'time takes numbers of executions that end, and refuses all others',
  400,
  fc.asyncProperty(
    fc.oneof(hostile, fc.integer({ min: 0, max: 8 })),
    fc.oneof(hostile, fc.integer({ min: 0, max: 8 })),
    fc.oneof(hostile, fc.integer({ min: 0, max: 1 })),
    async (samples, inner, cold) => {
      const counts = (value: unknown): value is number =>
        typeof value === 'number' && Number.isInteger(value) && value >= 1;
      const valid = counts(samples) && counts(inner) && samples * inner <= 2 ** 24 && (cold === 0 || cold === 1);
      // Those that end, but not soon.
      if (valid && samples * inner > 1000) return;
      const handle = raw.alloc(8);
      raw.write(handle, 0, new Uint8Array(8).fill(0xee));
      const { id } = opInfo('fill');
      const call = [id, encodeParams(opInfo('fill'), { count: 1, value: 7 }), Float64Array.of(handle, 0, 4), 0, 1];
      const result = attempt('time', [...call, samples, inner, cold]);
      assert.equal('value' in result, valid);
      const seconds = 'value' in result ? await result.value : undefined;
      if (seconds !== undefined) {
        assert.ok(seconds instanceof Float64Array && seconds.length === samples);
        assert.ok(seconds.every((value) => value >= 0 && value < 60));
      }
      const [first, second] = new Uint32Array(raw.readSync(handle, 0, 8));
      assert.deepEqual([first, second], [valid ? 0x40e00000 : 0xeeeeeeee, 0xeeeeeeee]);
      raw.free(handle);
    },
  ),
);

for (const info of raw.ops()) property(`${info.name} with random parameters and operands`, 400, opProperty(info));

for (const [op, cases] of publicOps()) property(`${op} of the library with any shapes`, 200, publicProperty(op, cases));

property('augment with random images and stages', 1500, augmentProperty);
property('mixImages with random images and boxes', 1500, mixProperty);

raw.setThreads(2);
for (const [name, runs, p] of properties) {
  writeSync(1, `${name}\n`);
  await fc.assert(p, { seed, numRuns: Math.ceil(runs * factor), endOnFailure: false });
  await Promise.all(timed.splice(0));
}
for (const [op, count] of accepted) assert.ok(count > 0, `no random call of ${op} was ever accepted`);
for (const [op, count] of completed) assert.ok(count > 0, `no random call of ${op} ever gave a result`);
for (const [name, count] of Object.entries(acceptedImages))
  assert.ok(count > 100, `${name} was accepted ${count} times`);
console.log('accepted', acceptedImages, Object.fromEntries(accepted));
assert.equal(raw.memory().liveBuffers, 0, 'buffers leaked');
