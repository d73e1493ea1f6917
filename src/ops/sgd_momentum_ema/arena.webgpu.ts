// What the optimizer ops have in common on WebGPU (kernels/common/segments.wgsl): launches and scratch.
import { groupsFor, type KernelCall, type Launch, type ScratchSizes } from '../../backend/webgpu/kernel.js';

type ArenaCall = Pick<
  KernelCall<{ readonly n: number; readonly segments: number }>,
  'params' | 'has' | 'adapter' | 'aligned'
>;

const LANES = 64;

/**
 * Groups of four elements that a thread takes from a block. In software 64: on lavapipe a plain copy of 89 MB makes 5 GB/s with 4, 3.5
 * with 16, 13.5 with 64 and with 256 (2-core AMD EPYC Zen 5, 2026-11-25). On a GPU few, for many workgroups.
 */
const rounds = ({ adapter }: ArenaCall): number => (adapter.software ? 64 : 8);

const blocks = (call: ArenaCall): number => Math.ceil(call.params.n / (4 * LANES * rounds(call)));

export const arenaTexts = ['common/two_float.wgsl', 'common/segments.wgsl'] as const;

export const arenaTypes = (): { readonly segments: 'i32' } => ({ segments: 'i32' });

/** The update, and the sums of its norms where they are asked for. */
export function arenaLaunches(call: ArenaCall): readonly Launch[] {
  const constants = { ROUNDS: rounds(call), NORM_LANES: call.adapter.software ? LANES : 4 * LANES };
  const update = { entry: 'arena_update', groups: groupsFor(blocks(call), 1), constants, vectors: call.aligned };
  if (!call.has('stats')) return [update];
  return [update, { entry: 'arena_norms', groups: groupsFor(call.params.segments, 1), constants }];
}

/** Two sums for each lane of each slice of a block that lies in one segment. */
export function arenaScratch(call: ArenaCall): ScratchSizes {
  return { partial: call.has('stats') ? 2 * LANES * (blocks(call) + call.params.segments) : 0 };
}
