// Checks of arguments that every part of the library makes.
import { AnnealError } from './errors.js';

/** Gives the value. @throws E_ARGUMENT unless it is an integer of at least `least` */
export function wholeNumber(who: string, name: string, value: number, least = 1): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${who}: expected ${name} to be an integer of at least ${least}, received ${value}`,
    );
  }
  return value;
}
