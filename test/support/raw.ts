// The addon itself, below the TypeScript layer: what the conformance and boundary tests call.
import { type Addon, addon, type NativeDevice, type OpInfo } from '../../src/binding.js';

export const raw: Addon = addon();

/** The contract of an op, by name. */
export function opInfo(name: string): OpInfo {
  const info = raw.ops().find((op) => op.name === name);
  if (!info) throw new Error(`the addon has no op '${name}'`);
  return info;
}

/** The bytes of an op's parameter struct; missing fields are 0, unknown ones an error. */
export function encodeParams(info: OpInfo, params: Readonly<Record<string, number | readonly number[]>>): Uint8Array {
  const bytes = new Uint8Array(info.paramBytes);
  const view = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(params)) {
    const field = info.fields.find((f) => f.name === name);
    if (!field) throw new Error(`${info.name} has no parameter '${name}'`);
    const values = typeof value === 'number' ? [value] : value;
    if (values.length > field.count)
      throw new Error(`${info.name}: '${name}' holds ${field.count} values, received ${values.length}`);
    values.forEach((v, i) => {
      const at = field.offset + 4 * i;
      if (field.type === 'f32') view.setFloat32(at, v, true);
      else if (field.type === 'i32') view.setInt32(at, v, true);
      else view.setUint32(at, v, true);
    });
  }
  return bytes;
}

/** The memory from which `raw.submit` takes a call. */
export const callBlock = {
  head: new Uint32Array(raw.callBlock(), 0, 4),
  params: new Uint8Array(raw.callBlock(), 16, 256),
  operands: new Float64Array(raw.callBlock(), 272, 48),
};

/** What `raw.run` is called with. */
type Call = Parameters<typeof raw.run>;

/** Checks the call and does not run it. Handles are numbers in [1, 2^26) that tell buffers apart. */
export function checkCall(...call: Call): void {
  fillCallBlock(...call);
  raw.checkCall();
}

function fillCallBlock(...[op, params, operands, nIn, nOut, half = 0]: Call): void {
  callBlock.head.set([op, nIn, nOut, half]);
  callBlock.params.set(params.subarray(0, 256));
  callBlock.operands.set(operands.subarray(0, 48));
}

/** The ways in which a device is asked for an op: `plan` as a plan of that one, run twice, each operand a slot of its own. */
export function callsOn(device: NativeDevice): Readonly<Record<'run' | 'submit' | 'plan', NativeDevice['run']>> {
  return {
    run: device.run,
    submit(...call) {
      fillCallBlock(...call);
      device.submit();
    },
    plan(op, params, operands, nIn, nOut, half = 0) {
      const slots = operands.length / 3;
      const triples = Array.from({ length: slots }, (_, i) =>
        operands[3 * i] === 0 ? [-1, 0, 0] : [i, 0, operands[3 * i + 2] ?? 0],
      );
      const plan = device.planCreate(slots, Uint32Array.of(op, nIn, nOut, half), Float64Array.from(triples.flat()));
      try {
        const padded = new Uint8Array(Math.ceil(params.length / 8) * 8);
        padded.set(params);
        for (let i = 0; i < 2; i++) device.planRun(plan, operands, padded);
      } finally {
        device.planFree(plan);
      }
    },
  };
}

export const { submit: submitCall, plan: planCall } = callsOn(raw);
