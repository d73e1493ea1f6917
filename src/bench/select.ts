// Which works a run measures.
import { AnnealError } from '../errors.js';
import { type EventLoopWork, eventLoopWorks } from './event_loop.js';
import { type Work, works } from './works.js';

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

/**
 * The works whose name or group matches one of the comma-separated pieces, each a substring or a regular expression; all
 * of them without any. @throws E_ARGUMENT when nothing matches
 */
export function select(only?: string): Selection {
  const pieces = (only ?? '').split(',').flatMap((piece) => piece.trim() || []);
  const matchers = pieces.map(matcher);
  const chosen = <W extends { readonly work: string; readonly group: string }>(all: readonly W[]): readonly W[] => {
    if (pieces.length === 0) return all;
    return all.filter(({ work, group }) => matchers.some((matches) => matches(work) || matches(group)));
  };
  const selection = { works: chosen(works), eventLoop: chosen(eventLoopWorks) };
  if (selection.works.length + selection.eventLoop.length > 0) return selection;
  const groups = [...new Set([...works, ...eventLoopWorks].map(({ group }) => group))].join(', ');
  throw new AnnealError(
    'E_ARGUMENT',
    `bench: expected '${only}' to match a work or one of the groups ${groups}; --list names all`,
  );
}
