/** Round numbers from min to max, at most about `count` of them: multiples of 1, 2 or 5 times a power of ten; `whole`: of 1 at least. */
export function ticks(min: number, max: number, count: number, whole = false): number[] {
  const least = Math.max((max - min) / count, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10);
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  // Multiplied, not added up, and rounded where a double is off in its last places: 0.3, not 0.30000000000000004.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** A number of an axis or a table: six digits at most, exponents below 1e-4 and from 1e7 on. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  const rounded = Number(value.toPrecision(6));
  return size !== 0 && (size < 1e-4 || size >= 1e7) ? rounded.toExponential() : String(rounded);
}

/** Powers of ten from min to max, both positive: about `count` of them, every second, third and so on where there are more. */
export function decades(min: number, max: number, count: number): number[] {
  const first = Math.ceil(Math.log10(min) - 1e-9);
  const last = Math.floor(Math.log10(max) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / count));
  const result: number[] = [];
  for (let power = first; power <= last; power += every) result.push(Number(`1e${power}`));
  return result;
}
