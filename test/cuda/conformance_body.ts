// Runs the case tables on a CUDA device, the emulated one or a GPU, against the reference kernels; prints an object of what is
// wrong, by op. Arguments: ops, or none for all.
import { readCaseTables } from '../support/case_file.js';
import {
  differentBits,
  differentNaNs,
  flopsOf,
  placeCase,
  type Ran,
  runCase,
  strayWrites,
  type Values,
  wrongValues,
} from '../support/conformance.js';
import { raw } from '../support/raw.js';

type Case = Parameters<typeof runCase>[1];
type Info = Parameters<typeof runCase>[0];

const device = raw.openCuda(0);
/** With another precision, what is rounded to it: small integers are not, so that they must come out exactly. */
const precision = process.env.ANNEAL_TEST_PRECISION;
if (precision === 'tf32' || precision === 'bf16') device.setPrecision(precision);
raw.setIsa('reference');

/** Flops above which a case runs on random values only where a CPU plays the GPU. */
const LARGE = device.about.emulated ? 3e6 : 1e9;

/** And above which it is left out. */
const MOST = Number(process.env.ANNEAL_TEST_MOST_FLOPS ?? Number.POSITIVE_INFINITY);

function check(info: Info, one: Case, bound: Parameters<typeof wrongValues>[3]): string[] {
  const found: string[] = [];
  const note = (what: string, lines: readonly string[]) => {
    for (const line of lines) found.push(`'${one.name}' ${what}: ${line}`);
  };
  const here = (values: Values, misaligned: boolean): Ran => {
    const ran = runCase(info, one, values, misaligned, placeCase(info, one, values, misaligned), device);
    note(values, strayWrites(ran, one.in.length));
    return ran;
  };
  const reference = (values: Values, misaligned: boolean): Ran => runCase(info, one, values, misaligned);
  const magnitudes = (values: Values): Ran | null => (bound === 'bilinear' ? reference(values, false) : null);
  try {
    const mode = one.exact ? 'exact' : bound;
    const sums = one.exact ? null : magnitudes('|integers|');
    const integers = (misaligned: boolean): void =>
      note('small integers', wrongValues(here('integers', misaligned), reference('integers', true), one, mode, sums));
    if (precision !== undefined) {
      integers(false);
      return found;
    }
    const random = here('random', false);
    note('random', wrongValues(random, reference('random', false), one, bound, magnitudes('|random|')));
    if (flopsOf(info, one) > LARGE) return found;
    // Aligned operands are read four elements at once.
    integers(true);
    integers(false);
    note('again', differentBits(here('random', false), random, one));
    const extra = bound === 'bilinear' && 'padTop' in one.params;
    note('NaN in the inputs', differentNaNs(here('poisoned', true), reference('poisoned', true), one, extra));
  } catch (error) {
    note('threw', [error instanceof Error ? error.message : String(error)]);
  }
  return found;
}

const tables = readCaseTables();
const words = process.argv.slice(2);
const wrong: Record<string, string[]> = {};
for (const info of raw.ops()) {
  const table = tables.get(info.name);
  if (!table || (words.length > 0 && !words.includes(info.name))) continue;
  const start = performance.now();
  const cases = table.cases.filter((one) => flopsOf(info, one) <= MOST);
  wrong[info.name] = cases.flatMap((one) => check(info, one, one.bound ?? table.bound));
  console.error(`${info.name}: ${cases.length} cases in ${((performance.now() - start) / 1e3).toFixed(1)} s`);
}
// A line of its own: what watches the process may print behind it.
process.stdout.write(`${JSON.stringify({ detail: device.about.name, wrong }, null, 1)}\n`);
