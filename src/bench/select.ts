// Which works a run measures.
import type { DeviceName } from '../backend/backend.js';
import { isCudaName } from '../backend/cuda.js';
import { AnnealError } from '../errors.js';
import { type EventLoopWork, eventLoopWorks } from './event_loop.js';
import { largeWorks, type Work, works } from './works.js';

function matcher(piece: string): (name: string) => boolean {
  try {
    const pattern = new RegExp(piece);
    return (name) => pattern.test(name) || name.includes(piece);
  } catch {
    return (name) => name.includes(piece);
  }
}

export interface Selection {
  readonly works: readonly Work[];
  readonly eventLoop: readonly EventLoopWork[];
}

/** What a GPU that is a CPU gets through in some minutes. */
const few = ['sgemm_nn_512', 'sgemm_nn_1024', 'conv3x3_c64_56', 'sgd_ema_11m', 'train_cnn_b16', 'train_mlp_b32'];

/** The same where the GPU is emulated. */
const fewest = ['sgemm_nn_64', 'sgemm_nn_256', 'train_mlp_b32', 'op_overhead_add1$'];

export interface SelectOptions {
  /** Training beside a server is measured on the addon's devices: what blocks JavaScript there are its queues. */
  readonly device?: DeviceName;
  /** Only some of them where `only` names none. */
  readonly few?: boolean;
}

/**
 * The works whose name or group matches one of the comma-separated pieces, each a substring or a regular expression; all
 * of them without any. @throws E_ARGUMENT when nothing matches
 */
export function select(only?: string, { device = 'cpu', few: some = false }: SelectOptions = {}): Selection {
  const named = (only ?? '').split(',').flatMap((piece) => piece.trim() || []);
  const pieces = named.length === 0 && some ? (isCudaName(device) ? fewest : few) : named;
  const matchers = pieces.map(matcher);
  const chosen = <W extends { readonly work: string; readonly group: string }>(all: readonly W[]): readonly W[] => {
    if (pieces.length === 0) return all;
    return all.filter(({ work, group }) => matchers.some((matches) => matches(work) || matches(group)));
  };
  const selection = {
    works: chosen(isCudaName(device) ? [...works, ...largeWorks] : works),
    eventLoop: device === 'cpu' || isCudaName(device) ? chosen(eventLoopWorks) : [],
  };
  if (selection.works.length + selection.eventLoop.length > 0) return selection;
  const groups = [...new Set([...works, ...eventLoopWorks].map(({ group }) => group))].join(', ');
  throw new AnnealError(
    'E_ARGUMENT',
    `bench: expected '${only}' to match a work or one of the groups ${groups}; --list names all`,
  );
}
