// A device of the addon's: its queue, with op names in place of ids.
import { addon, type NativeDevice } from '../binding.js';
import { AnnealError } from '../errors.js';
import { type Backend, type DeviceName, halfMask, type OpName, opNames, type PlanOp } from './backend.js';
import { createCallBlock } from './call_block.js';

/** Records: behind so many, a step of 900 ops still finds room in the queue, which holds 1024 (native/core/queue.h). */
const CROWDED = 124;

/** How a device of the addon's calls itself. */
export interface NativeTraits {
  readonly name: DeviceName;
  readonly detail: () => string;
  readonly software: boolean;
}

export function createNativeBackend(native: NativeDevice, { name, detail, software }: NativeTraits): Backend {
  const ids = new Map<OpName, number>(opNames.map((name, id) => [name, id]));
  const compiled = addon().ops();
  const differs = opNames.findIndex((name, id) => compiled[id]?.name !== name);
  if (differs >= 0 || compiled.length !== opNames.length) {
    throw new AnnealError(
      'E_DEVICE',
      `expected op ${opNames[differs]} at ${differs} in the addon, received ${compiled[differs]?.name}: the addon and the library are of different versions; rebuild with "npm rebuild anneal"`,
    );
  }
  const { head, params, operands } = createCallBlock();
  const plans = new Map<number, readonly PlanOp[]>();
  return {
    name,
    software,
    get detail() {
      return detail();
    },
    block: { params, operands },
    alloc: native.alloc,
    free: native.free,
    write: native.write,
    read: native.read,
    readSync: native.readSync,
    run(op, nIn, nOut, half = 0) {
      head[0] = op;
      head[1] = nIn;
      head[2] = nOut;
      head[3] = half;
      native.submit();
    },
    planCreate(slots, ops) {
      const heads = ops.flatMap(({ op, inputs, outputs }) => [
        ids.get(op) ?? -1,
        inputs.length,
        outputs.length,
        halfMask([...inputs, ...outputs]),
      ]);
      const operands = ops.flatMap(({ inputs, outputs }) =>
        [...inputs, ...outputs].flatMap((each) => (each ? [each.slot, each.byteOffset, each.bytes] : [-1, 0, 0])),
      );
      const plan = native.planCreate(slots, Uint32Array.from(heads), Float64Array.from(operands));
      plans.set(plan, ops);
      return plan;
    },
    planRun: native.planRun,
    planFree(plan) {
      native.planFree(plan);
      plans.delete(plan);
    },
    planOps(plan) {
      const ops = plans.get(plan);
      if (ops === undefined)
        throw new AnnealError('E_DISPOSED', 'plan: expected a live plan, received one that was freed');
      return ops;
    },
    time: (op, params, operands, nIn, nOut, { samples, inner, cold }) =>
      native.time(ids.get(op) ?? -1, params, operands, nIn, nOut, samples, inner, cold ? 1 : 0),
    submitted: native.submitted,
    profiler: { start: native.profileStart, now: native.profileNow, stop: native.profileStop },
    sync: native.sync,
    crowded: () => native.queued().records > CROWDED,
    memory: native.memory,
    trim: native.trim,
  };
}
