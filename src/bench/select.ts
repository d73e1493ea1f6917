// Which works a run measures.
import { AnnealError } from '../errors.js';
import { type Work, works } from './works.js';

function matcher(piece: string): (name: string) => boolean {
  try {
    const pattern = new RegExp(piece);
    return (name) => pattern.test(name) || name.includes(piece);
  } catch {
    return (name) => name.includes(piece);
  }
}

/**
 * The works whose name or group matches one of the comma-separated pieces, each a substring or a regular expression; all
 * of them without any. @throws E_ARGUMENT when nothing matches
 */
export function selectWorks(only?: string): readonly Work[] {
  const pieces = (only ?? '').split(',').flatMap((piece) => piece.trim() || []);
  if (pieces.length === 0) return works;
  const matchers = pieces.map(matcher);
  const chosen = works.filter(({ work, group }) => matchers.some((matches) => matches(work) || matches(group)));
  if (chosen.length === 0) {
    const groups = [...new Set(works.map(({ group }) => group))].join(', ');
    throw new AnnealError(
      'E_ARGUMENT',
      `bench: expected '${only}' to match a work or one of the groups ${groups}; --list names all`,
    );
  }
  return chosen;
}
