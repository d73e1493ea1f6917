// Recorded lists of ops, kept as dispatches. A replay looks at what changed since the last one, parameters and the places of slots,
// and prepares anew only the ops that it concerns: mostly the one with the learning rate and those that read the batch.
import { AnnealError } from '../../errors.js';
import { opNames, type PlanOp } from '../backend.js';
import type { Calls, Place, Prepared } from './calls.js';

interface PlannedOp {
  readonly planned: PlanOp;
  readonly id: number;
  /** Of its parameters, in bytes of all. */
  readonly at: number;
  readonly size: number;
  readonly slots: readonly number[];
  prepared: Prepared | null;
}

interface Plan {
  readonly planOps: readonly PlanOp[];
  readonly ops: readonly PlannedOp[];
  /** As of the latest replay. */
  readonly params: Uint8Array;
  readonly places: (Place | undefined)[];
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

function differs(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return true;
  return false;
}

export class Plans {
  readonly #calls: Calls;
  readonly #byId = new Map<number, Plan>();
  #next = 1;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  create(slots: number, planOps: readonly PlanOp[]): number {
    let at = 0;
    const ops = planOps.map((planned): PlannedOp => {
      const { op, inputs, outputs } = planned;
      const size = this.#calls.kernelOf(op).struct.bytes;
      const used = new Set([...inputs, ...outputs].flatMap((operand) => operand?.slot ?? []));
      for (const slot of used)
        if (!(slot >= 0 && slot < slots))
          throw new AnnealError('E_ARGUMENT', `${op}: expected a slot below ${slots}, received ${slot}`);
      const start = at;
      at += aligned(size);
      return { planned, id: opNames.indexOf(op), at: start, size, slots: [...used], prepared: null };
    });
    const id = this.#next++;
    this.#byId.set(id, { planOps, ops, params: new Uint8Array(at), places: new Array(slots) });
    return id;
  }

  /** @throws E_DISPOSED */
  #get(id: number): Plan {
    const plan = this.#byId.get(id);
    if (plan === undefined)
      throw new AnnealError('E_DISPOSED', 'plan: expected a live plan, received one that was freed');
    return plan;
  }

  opsOf(id: number): readonly PlanOp[] {
    return this.#get(id).planOps;
  }

  /** Which slots are elsewhere than in the latest replay; they are there now. */
  #moved({ places }: Plan, bindings: Float64Array): boolean[] {
    const moved: boolean[] = [];
    for (let slot = 0; slot < places.length; slot++) {
      const [handle = 0, offset = 0, bytes = 0] = [bindings[3 * slot], bindings[3 * slot + 1], bindings[3 * slot + 2]];
      const place = handle === 0 ? undefined : this.#calls.placeOf('plan', handle, offset, bytes);
      const before = places[slot];
      moved[slot] =
        before?.held.id !== place?.held.id || before?.offset !== place?.offset || before?.bytes !== place?.bytes;
      places[slot] = place;
    }
    return moved;
  }

  #prepare({ planned: { op, inputs, outputs } }: PlannedOp, params: Uint8Array, plan: Plan): Prepared {
    const places = [...inputs, ...outputs].map((operand): Place | null => {
      if (operand === null) return null;
      const slot = plan.places[operand.slot];
      if (slot === undefined || operand.byteOffset + operand.bytes > slot.bytes)
        throw new AnnealError('E_RANGE', `${op}: expected ${operand.bytes} bytes in slot ${operand.slot}`);
      const { byteOffset, bytes, half = false } = operand;
      return { held: slot.held, offset: slot.offset + byteOffset, bytes, half };
    });
    this.#calls.check(op, params, places, inputs.length);
    return this.#calls.prepare(op, params, places, inputs.length);
  }

  /** What each op of a replay dispatches, in order. @throws E_DISPOSED, E_RANGE, whatever an op's check refuses */
  replay(id: number, bindings: Float64Array, params: Uint8Array): readonly PlannedOp[] {
    const plan = this.#get(id);
    const moved = this.#moved(plan, bindings);
    for (const op of plan.ops) {
      const end = op.at + op.size;
      if (op.prepared !== null && !op.slots.some((slot) => moved[slot]) && !differs(plan.params, params, op.at, end))
        continue;
      if (op.prepared !== null) this.#calls.release(op.prepared);
      // Until it is there again: what fails now is prepared by the next replay.
      op.prepared = null;
      const own = params.slice(op.at, end);
      op.prepared = this.#prepare(op, own, plan);
      plan.params.set(own, op.at);
    }
    return plan.ops;
  }

  free(id: number): void {
    for (const { prepared } of this.#get(id).ops) if (prepared !== null) this.#calls.release(prepared);
    this.#byId.delete(id);
  }
}
