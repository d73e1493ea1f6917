// elementwise_chain against the single ops it stands for: the same bits on every instruction set, also where outputs lie in
// the memory of inputs; and what its contract refuses.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  BINARY_STEP,
  CHAIN_INPUTS,
  chainOperand,
  elementwiseChainParams,
  inputsReadUpTo,
} from '../../src/ops/elementwise_chain/elementwise_chain.js';
import { readCaseTables } from '../support/case_file.js';
import { seedOf, symmetric } from '../support/formula.js';
import { encodeParams, opInfo, raw } from '../support/raw.js';
import { refuses } from '../support/refuses.js';

type Values = Readonly<Record<string, number | readonly number[]>>;
type Chain = ReturnType<typeof elementwiseChainParams.decode>;

const device = raw.device();
after(() => {
  raw.setIsa(device.isa);
  raw.setThreads(device.threads);
});

/** Buffers that are freed together. A piece is a handle, the offset of its first byte, and its bytes. */
class Buffers implements Disposable {
  readonly #handles: number[] = [];

  of(values: Float32Array): readonly [number, number, number] {
    const handle = raw.alloc(values.byteLength + 4);
    this.#handles.push(handle);
    raw.write(handle, 4, values);
    return [handle, 4, values.byteLength];
  }

  [Symbol.dispose](): void {
    for (const handle of this.#handles.splice(0)) raw.free(handle);
  }
}

type Piece = ReturnType<Buffers['of']>;

const bitsOf = ([handle, offset, bytes]: Piece): Int32Array => new Int32Array(raw.readSync(handle, offset, bytes));

function run(op: string, params: Values, inputs: readonly (Piece | null)[], outputs: readonly Piece[]): void {
  const operands = Float64Array.from([...inputs, ...outputs].flatMap((piece) => piece ?? [0, 0, 0]));
  raw.run(opInfo(op).id, encodeParams(opInfo(op), params), operands, inputs.length, outputs.length);
}

/** The bits of each output, by single ops. */
function bySteps(chain: Chain, inputs: readonly Float32Array[]): Int32Array[] {
  using buffers = new Buffers();
  const { count } = chain;
  const given = inputs.map((values) => buffers.of(values));
  const results: Piece[] = [];
  const outputs: Int32Array[] = [];
  for (let s = 0; s < chain.steps; s++) {
    const [code, alpha, beta, scalar] = [chain.code, chain.alpha, chain.beta, chain.scalar].map((list) => list[s] ?? 0);
    const operand = (word = 0): Piece | null => {
      if (word === 0) return null;
      return (word <= CHAIN_INPUTS ? given[word - 1] : results[word - 1 - CHAIN_INPUTS]) ?? null;
    };
    const [a, b] = [operand(chain.a[s]), operand(chain.b[s])];
    const out = buffers.of(new Float32Array(count));
    const stride = (piece: Piece | null): readonly number[] => [piece && piece[2] < 4 * count ? 0 : 1];
    if ((code ?? 0) < BINARY_STEP) {
      run('unary', { code: code ?? 0, count, alpha: alpha ?? 0, beta: beta ?? 0 }, [a], [out]);
    } else {
      const sizes = { rank: 1, dims: [count], strideA: stride(a), strideB: stride(b) };
      const constants = { alpha: alpha ?? 0, beta: beta ?? 0, scalar: scalar ?? 0 };
      run('binary', { code: (code ?? 0) - BINARY_STEP, ...sizes, ...constants }, [a, b], [out]);
    }
    results.push(out);
    const store = chain.store[s] ?? 0;
    if (store > 0) outputs[store - 1] = bitsOf(out);
  }
  return outputs;
}

/** The bits of each output, in one op; `places` says which output lies in the memory of which input. */
function atOnce(chain: Chain, inputs: readonly Float32Array[], places: ReadonlyMap<number, number>): Int32Array[] {
  using buffers = new Buffers();
  const given = inputs.map((values) => buffers.of(values));
  const outputs = Array.from({ length: Math.max(...chain.store) }, (_, o) => {
    return given[places.get(o) ?? -1] ?? buffers.of(new Float32Array(chain.count).fill(Number.NaN));
  });
  run('elementwise_chain', { ...chain }, given, outputs);
  return outputs.map(bitsOf);
}

const special = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -3.4e38, 88.8, -104];

function valuesFor(n: number, seed: number): Float32Array {
  return Float32Array.from({ length: n }, (_, i) =>
    i % 7 === 3 ? (special[i % special.length] ?? 0) : 4 * symmetric(i, seed),
  );
}

function decoded(params: Values): Chain {
  return elementwiseChainParams.decode(encodeParams(opInfo('elementwise_chain'), params));
}

function compare(name: string, chain: Chain, sizes: readonly number[]): void {
  const inputs = sizes.map((n, i) => valuesFor(n, seedOf(`${name} ${i}`)));
  for (const isa of device.runnable) {
    raw.setIsa(isa);
    const expected = bySteps(chain, inputs);
    assert.deepEqual(atOnce(chain, inputs, new Map()), expected, `${name} on ${isa}`);
    // Each output in the memory of each input that allows it, one after the other, and as many as can be at once.
    const all = new Map<number, number>();
    expected.forEach((_, o) => {
      const allowed = inputsReadUpTo(chain, o);
      sizes.forEach((n, i) => {
        if (n !== chain.count || chain.count === 0) return;
        const places = new Map([[o, i]]);
        if (!allowed.has(i)) {
          refuses(() => atOnce(chain, inputs, places), 'E_ARGUMENT', /expected output \d not to overlap input/);
          return;
        }
        assert.deepEqual(atOnce(chain, inputs, places), expected, `${name} on ${isa}, output ${o} in input ${i}`);
        if (!all.has(o) && ![...all.values()].includes(i)) all.set(o, i);
      });
    });
    assert.deepEqual(atOnce(chain, inputs, all), expected, `${name} on ${isa}, in place`);
  }
}

const cases = readCaseTables().get('elementwise_chain')?.cases ?? [];

test('the bits of the single ops, in every case of the table', () => {
  raw.setThreads(2);
  assert.ok(cases.length > 0);
  for (const one of cases) {
    if (one.params.count === 0 || one.in.some((operand) => operand && operand.n > 1 && operand.n !== one.params.count))
      continue;
    compare(
      one.name,
      decoded(one.params),
      one.in.map((operand) => operand?.n ?? 0),
    );
  }
});

const [i0, i1, i2] = [0, 1, 2].map((input) => chainOperand({ input })) as [number, number, number];
const [r0, r1] = [0, 1].map((step) => chainOperand({ step })) as [number, number];
const [neg, relu, isNaN] = [0, 15, 27];
const [add, mul, less] = [BINARY_STEP, BINARY_STEP + 2, BINARY_STEP + 11];

test('the bits of the single ops past the caches, with a result that is stored and read again', () => {
  const count = 2_400_011;
  const code = [mul, add, relu];
  const chain = { count, steps: 3, code, a: [i0, r0, r1], b: [i1, i2, 0] };
  const inputs = [0, 1, 2].map((i) => valuesFor(count, i));
  for (const isa of device.runnable) {
    if (isa === 'reference') continue;
    raw.setIsa(isa);
    for (const store of [
      [0, 0, 1],
      [0, 2, 1],
    ]) {
      const given = decoded({ ...chain, store });
      const expected = bySteps(given, inputs);
      for (const places of [new Map(), new Map([[0, 2]])])
        atOnce(given, inputs, places).forEach((actual, o) => {
          const bytes = (list: Int32Array | undefined) => Buffer.from(list?.buffer ?? new ArrayBuffer(0));
          assert.ok(bytes(actual).equals(bytes(expected[o])), `output ${o} on ${isa}`);
        });
    }
  }
});

test('what the contract refuses', () => {
  raw.setIsa(device.isa);
  using buffers = new Buffers();
  const [x, y, single, out, second] = [8, 8, 1, 8, 8].map((n) => buffers.of(new Float32Array(n)));
  assert.ok(x && y && single && out && second);
  const good = { count: 8, steps: 2, code: [add, neg], a: [i0, r0], b: [i1, 0], store: [0, 1] };
  const call = (
    changes: Values,
    inputs: readonly (Piece | null)[] = [x, y],
    outputs: readonly Piece[] = [out],
  ): (() => void) => {
    return () => run('elementwise_chain', { ...good, ...changes }, inputs, outputs);
  };
  call({})();
  refuses(call({ steps: 0 }), 'E_RANGE', /steps/);
  refuses(call({ steps: 9 }), 'E_RANGE', /steps/);
  refuses(call({ code: [add, 32] }), 'E_RANGE', /code/);
  refuses(call({ code: [add, BINARY_STEP + 29] }), 'E_RANGE', /code/);
  refuses(call({ code: [add, isNaN] }), 'E_DTYPE', /give f32/);
  refuses(call({ code: [less, neg] }), 'E_DTYPE', /give f32/);
  refuses(call({ b: [i1, i1] }), 'E_ARGUMENT', /one operand/);
  refuses(call({ a: [i0, 0] }), 'E_ARGUMENT', /one operand/);
  refuses(call({ a: [0, r0], b: [0, 0] }), 'E_ARGUMENT', /beside the scalar/);
  refuses(call({ a: [r0, r0] }), 'E_RANGE', /earlier step, received operand 9/);
  refuses(call({ a: [i0, 2 ** 32 - 1] }), 'E_RANGE', /earlier step/);
  refuses(call({ store: [0, 0] }), 'E_ARGUMENT', /last step to be stored/);
  refuses(call({ store: [1, 1] }), 'E_ARGUMENT', /one step for output 0/);
  refuses(call({ store: [0, 9] }), 'E_RANGE', /store/);
  refuses(call({ a: [i0, i0] }), 'E_ARGUMENT', /step 0 to be stored or read/);
  refuses(call({ single: 1, code: [neg, add], a: [i0, r0], b: [0, i1] }, [single, y]), 'E_ARGUMENT', /single item/);
  refuses(call({}, [x]), 'E_ARGUMENT', /expected operand in/);
  refuses(call({}, [x, single]), 'E_SHAPE', /8 elements, received 1/);
  refuses(call({}, [x, y, y]), 'E_ARGUMENT', /reads input 2/);
  refuses(call({}, [x, y], [out, second]), 'E_ARGUMENT', /stored to output 1/);
  refuses(call({ store: [0, 2] }, [x, y], [second, out]), 'E_ARGUMENT', /stored to output 0/);
  refuses(call({ count: 9 }), 'E_SHAPE', /9 elements, received 8/);
  refuses(call({ store: [2, 1] }, [x, y], [out, out]), 'E_ARGUMENT', /output 1 not to overlap output 0/);
  const [handle, offset] = x;
  const shifted: Piece = [handle, offset - 4, 32];
  refuses(call({}, [x, y], [shifted]), 'E_ARGUMENT', /not to overlap input 0/);
  // One item for all is read until the last tile.
  refuses(
    call({ single: 2, count: 1 }, [x, single], [[single[0], single[1], 4]]),
    'E_ARGUMENT',
    /not to overlap input 1/,
  );
  // Stored by the first step, read by the second.
  const again = { code: [add, add], b: [i1, i0], store: [2, 1] };
  refuses(call(again, [x, y], [out, x]), 'E_ARGUMENT', /output 1 not to overlap input 0/);
  call(again, [x, y], [x, out])();
});
