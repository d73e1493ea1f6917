// How an op runs on WebGPU: what a room's WGSL text is called with. The text never names a binding: it reads and writes operands
// through functions that `shader.ts` writes for it.
import type { OpName } from '../backend.js';
import type { DecodedValues, FieldSpec, FieldValues, ParamStruct } from '../params.js';

/** What an element is in the WGSL text. `u8` elements are u32 there. */
export type ElementType = 'f32' | 'i32' | 'u32' | 'u8';

/** A call to be launched: `P` its parameters, operands by the names of the kernel. */
export interface KernelCall<P> {
  readonly params: P;
  /** Whether the operand is there. */
  has(name: string): boolean;
  /** Whether every operand starts on a boundary of four elements, as `vectors` takes. */
  readonly aligned: boolean;
  readonly adapter: AdapterTraits;
  /** The one of the kernel's variants to launch; empty where it has none. */
  readonly variant: string;
}

/** What the choice among variants may depend on. */
export interface AdapterTraits {
  /** A CPU that plays a GPU: workgroup memory costs, registers do not. */
  readonly software: boolean;
  /** Whether texts may use subgroup operations. */
  readonly subgroups: boolean;
  /** Threads of a subgroup; 0 where that varies, or there are none. */
  readonly subgroupSize: number;
}

/** A text with subgroup operations, for adapters that have them, and what stands for it on others. */
export interface SubgroupText {
  readonly subgroups: string;
  readonly plain?: string;
}

/** group_fold of what the threads of a workgroup hold, and sums and maxima of f32 by it: kernels/common/. */
export const groupText: SubgroupText = { subgroups: 'common/group_subgroups.wgsl', plain: 'common/group.wgsl' };
/** For variants called broadcast: the size of subgroups they take, and rows and columns of a workgroup's tile. */
export const broadcastText: SubgroupText = { subgroups: 'common/broadcast.wgsl' };
export const BROADCAST_SUBGROUP = 8;
export const BROADCAST_TILE = 32;

export const groupF32Texts: readonly (string | SubgroupText)[] = [
  groupText,
  'common/group_f32.wgsl',
  { subgroups: 'common/group_f32_subgroups.wgsl' },
];

/** One dispatch. */
export interface Launch {
  /** The entry point in the room's text. */
  readonly entry: string;
  /** Workgroups along x, y, z. */
  readonly groups: readonly [number, number, number];
  /** Constants of the text, written before it; each pair makes a pipeline of its own. */
  readonly constants?: Readonly<Record<string, number | boolean>>;
  /** WGSL written for this pipeline, before the text: what constants cannot say. */
  readonly code?: string;
  /** Whether operands are also read and written by fours: all of them are aligned then. */
  readonly vectors?: boolean;
  /**
   * The operands and scratch that the entry reaches, where all would be more buffers than every adapter binds (8); to its text
   * the others are absent.
   */
  readonly uses?: readonly string[];
}

/** Memory for one call, shared by its launches: elements of f32 by name; with 0 it is absent, as an operand may be. */
export type ScratchSizes = Readonly<Record<string, number>>;

/** Shapes that take the same variant. */
export interface ShapeClass<F extends Record<string, FieldSpec>> {
  /** The variants that are timed. */
  readonly names: readonly string[];
  /** What is taken before anything was measured. */
  readonly gpu: string;
  readonly software: string;
  /** The call to time: parameters, and elements of f32 of each operand. */
  readonly sample: {
    readonly params: FieldValues<F>;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
  };
}

/** Ways to compute the same that differ in speed: which is the fastest is measured once for each adapter (tuning.ts). */
export interface Variants<F extends Record<string, FieldSpec> = Record<string, FieldSpec>> {
  /** The name of one of `classes`. */
  classOf(params: DecodedValues<F>): string;
  readonly classes: Readonly<Record<string, ShapeClass<F>>>;
  /** Variants for subgroups of one size, and what stands for them where there are none such. */
  readonly subgroups?: Readonly<Record<string, { readonly size: number; readonly otherwise: string }>>;
}

/** Whether the adapter has what a variant takes. */
export function runsOn(
  { subgroupSize }: AdapterTraits,
  variant: string,
  { subgroups }: Pick<Variants, 'subgroups'>,
): boolean {
  const needed = subgroups?.[variant];
  return needed === undefined || needed.size === subgroupSize;
}

/** All variants, each once. */
export function variantNames<F extends Record<string, FieldSpec>>({ classes }: Variants<F>): readonly string[] {
  return [...new Set(Object.values(classes).flatMap(({ names }) => names))];
}

export interface WebGpuKernel<F extends Record<string, FieldSpec> = Record<string, FieldSpec>> {
  readonly op: OpName;
  readonly struct: ParamStruct<F>;
  /** The WGSL text: files in kernels/, one after the other, after common/common.wgsl. */
  readonly texts: readonly (string | SubgroupText)[];
  /** Names of the operands in the text, in the order of the contract. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Outputs that the kernel reads again what it wrote to: they are not stored as f16, which would round it each time. */
  readonly sums?: readonly string[];
  readonly variants?: Variants<F>;
  /** f32 where nothing else is said. */
  types?(params: DecodedValues<F>): Readonly<Record<string, ElementType>>;
  launches(call: KernelCall<DecodedValues<F>>): readonly Launch[];
  scratch?(call: KernelCall<DecodedValues<F>>): ScratchSizes;
}

/** Keeps the types of one kernel's parameters within it. */
export function webGpuKernel<F extends Record<string, FieldSpec>>(kernel: WebGpuKernel<F>): WebGpuKernel {
  return kernel;
}

/** The most workgroups along an axis that every adapter takes. */
const MOST_GROUPS = 65535;

/**
 * Workgroups for `count` items, `each` a workgroup; the text finds its own by `flat_group(workgroup_id, num_workgroups)` and
 * returns where that is beyond the last item. None for no items.
 */
export function groupsFor(count: number, each: number): [number, number, number] {
  const groups = Math.ceil(count / each);
  if (groups <= MOST_GROUPS) return [groups, 1, 1];
  const y = Math.ceil(groups / MOST_GROUPS);
  return [Math.ceil(groups / y), y, 1];
}
