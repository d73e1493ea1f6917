// The case tables on a device, against the reference kernels.
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

export type Case = Parameters<typeof runCase>[1];
export type Info = Parameters<typeof runCase>[0];

export interface DeviceUnderTest {
  run(info: Info, one: Case, placed: ReturnType<typeof placeCase>, values: Values): Ran | Promise<Ran>;
  /** Leaves out of both sides what the device need not agree in. */
  comparable?(ran: Ran): Ran;
  /** Flops above which a case runs on random values only, since it would take seconds. */
  readonly large: number;
  /** The device rounds its operands: small integers are not changed by that, and must come out exactly. */
  readonly rounds?: boolean;
  /** Cases side by side. Default 1. */
  readonly atOnce?: number;
}

async function check(
  device: DeviceUnderTest,
  info: Info,
  one: Case,
  bound: Parameters<typeof wrongValues>[3],
): Promise<string[]> {
  const found: string[] = [];
  const note = (what: string, lines: readonly string[]) => {
    for (const line of lines) found.push(`'${one.name}' ${what}: ${line}`);
  };
  const comparable = (ran: Ran): Ran => device.comparable?.(ran) ?? ran;
  const here = async (values: Values, misaligned: boolean): Promise<Ran> => {
    const ran = await device.run(info, one, placeCase(info, one, values, misaligned), values);
    note(values, strayWrites(ran, one.in.length));
    return comparable(ran);
  };
  const reference = (values: Values, misaligned: boolean): Ran => comparable(runCase(info, one, values, misaligned));
  const magnitudes = (values: Values): Ran | null => (bound === 'bilinear' ? runCase(info, one, values, false) : null);
  const integers = async (...placements: readonly boolean[]): Promise<void> => {
    const expected = reference('integers', true);
    const sums = one.exact ? null : magnitudes('|integers|');
    for (const misaligned of placements) {
      const ran = await here('integers', misaligned);
      note('small integers', wrongValues(ran, expected, one, one.exact ? 'exact' : bound, sums));
    }
  };
  try {
    if (device.rounds) {
      await integers(false);
      return found;
    }
    const random = await here('random', false);
    note('random', wrongValues(random, reference('random', false), one, bound, magnitudes('|random|')));
    if (flopsOf(info, one) > device.large) return found;
    // Aligned operands are read four elements at once.
    await integers(true, false);
    note('again', differentBits(await here('random', false), random, one));
    const extra = bound === 'bilinear' && 'padTop' in one.params;
    note('NaN in the inputs', differentNaNs(await here('poisoned', true), reference('poisoned', true), one, extra));
  } catch (error) {
    note('threw', [error instanceof Error ? error.message : String(error)]);
  }
  return found;
}

/** What is wrong, by op; of the ops that `words` name, or of all. `takes`: whether a case is to run. */
export async function runTables(
  device: DeviceUnderTest,
  words: readonly string[],
  takes: (info: Info, one: Case) => boolean = () => true,
): Promise<Record<string, string[]>> {
  raw.setIsa('reference');
  const tables = readCaseTables();
  const wrong: Record<string, string[]> = {};
  for (const info of raw.ops()) {
    const table = tables.get(info.name);
    if (!table || (words.length > 0 && !words.includes(info.name))) continue;
    const start = performance.now();
    const cases = table.cases.filter((one) => takes(info, one));
    if (cases.length === 0) continue;
    const rest = cases.slice();
    const lines: string[] = [];
    const some = async (): Promise<void> => {
      for (let one = rest.shift(); one; one = rest.shift())
        lines.push(...(await check(device, info, one, one.bound ?? table.bound)));
    };
    await Promise.all(Array.from({ length: device.atOnce ?? 1 }, some));
    wrong[info.name] = lines;
    console.error(`${info.name}: ${cases.length} cases in ${((performance.now() - start) / 1e3).toFixed(1)} s`);
  }
  return wrong;
}
