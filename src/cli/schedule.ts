// `anneal schedule`: values of a schedule as a picture, in a file or in the terminal.
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { shortNumber } from '../chart/ticks.js';
import { AnnealError, reasonOf } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { braille } from '../schedule/braille.js';
import { fromJSON, kinds } from '../schedule/from_json.js';
import type { Field, Kind } from '../schedule/kind.js';
import { describe, named, sample, shownSteps, valueRange } from '../schedule/sample.js';
import type { Schedule } from '../schedule/schedule.js';
import { svg } from '../schedule/svg.js';

interface PlotOptions {
  readonly out?: string;
  readonly until?: number;
  readonly steps?: number;
  readonly epochs?: number;
  readonly stepsPerEpoch?: number;
  readonly title?: string;
}

const COLUMNS = 64;
const ROWS = 10;
/** Values printed below the plot. */
const VALUES = 10;

const DASHES = /[A-Z]/g;
const flagOf = (name: string): string =>
  /^[A-Z]/.test(name) ? `--${name}` : `--${name.replaceAll(DASHES, (letter) => `-${letter.toLowerCase()}`)}`;

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

function positive(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError('Expected a positive number.');
  return value;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`Expected JSON: ${reasonOf(error)}.`);
  }
}

/** The option with the highest value of a schedule: 1 where nothing is said, since a picture needs none to show the form. */
const topOf = ({ fields }: Kind): string | undefined =>
  ['from', 'max', 'value', 'to'].find((name) => fields[name]?.required);

/** What the command line shows and takes for an option of a schedule. */
function optionOf(name: string, field: Field<unknown>, isTop: boolean): Option {
  const { type, about, required, fallback } = field;
  const placeholder =
    type === 'boolean' ? '' : type === 'numbers' ? ' <numbers>' : type === 'number' ? ' <number>' : ' <json>';
  const option = new Option(typeof type === 'string' ? flagOf(name) + placeholder : `${flagOf(name)} <word>`, about);
  if (type === 'number') option.argParser(number);
  else if (type === 'numbers') option.argParser((text) => text.split(',').map(number));
  else if (type === 'schedule' || type === 'schedules') option.argParser(json);
  else if (typeof type !== 'string') option.choices(type);
  if (isTop) option.default(1);
  else if (required) option.makeOptionMandatory();
  if (fallback !== undefined && type !== 'boolean') option.default(fallback);
  return option;
}

function withPlot(command: Command, kind?: Kind): Command {
  command.option('--out <file>', 'write an SVG; without, the terminal shows a plot and values');
  command.option('--until <step>', 'the last step shown (default: where the schedule ends, or 1000)', positive);
  if (kind && !('steps' in kind.fields)) command.option('--steps <count>', 'the same as --until', positive);
  command.option('--epochs <count>', 'so many epochs are the steps shown: the axis counts those', positive);
  if (kind && !('stepsPerEpoch' in kind.fields))
    command.option('--steps-per-epoch <count>', 'the schedule counts epochs of so many steps (perEpoch)', positive);
  return command.option('--title <text>', 'above the picture');
}

/** Values at equal distances, in two lines of columns. */
function valueLines(schedule: Schedule, steps: number): string[] {
  const points = sample('', schedule, steps, VALUES).points;
  const cells = points.map(([t, value]) => [t.toLocaleString('en-US'), shortNumber(value)] as const);
  const width = (i: number): number => Math.max(...(cells[i] ?? []).map((text) => text.length));
  const line = (head: string, row: 0 | 1): string =>
    head.padEnd(6) + cells.map((cell, i) => cell[row].padStart(width(i) + 2)).join('');
  return [line('step', 0), line('value', 1)];
}

async function plot(schedules: Schedule | Readonly<Record<string, Schedule>>, options: PlotOptions): Promise<void> {
  const { out, epochs, title } = options;
  const entries = named('schedule', schedules);
  const steps = shownSteps(
    'schedule',
    entries.map(([, schedule]) => schedule),
    options.until ?? options.steps,
  );
  if (out !== undefined) {
    const text = svg(schedules, { steps, ...(epochs && { epochs }), ...(title !== undefined && { title }) });
    await writeFileAtomic(out, [text]);
    console.log(`Written ${out}`);
    return;
  }
  const curves = entries.map(([name, schedule]) => sample(name, schedule, steps, 4 * COLUMNS));
  const range = valueRange(curves);
  if (title !== undefined) console.log(title);
  curves.forEach((curve, i) => {
    const schedule = entries[i]?.[1];
    if (!schedule) return;
    console.log(
      `${i > 0 ? '\n' : ''}${[curve.name, ...braille(curve, range, COLUMNS, ROWS), '', ...valueLines(schedule, steps)].join('\n')}`,
    );
  });
}

/** One schedule as JSON, an array of them, or an object of them by name. @throws E_ARGUMENT, E_IO */
function readSchedules(path: string): Schedule | Record<string, Schedule> {
  const text = readFileSync(path === '-' ? 0 : path, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AnnealError('E_ARGUMENT', `schedule: expected JSON in ${path}, received ${String(error)}`);
  }
  if (Array.isArray(value)) {
    const all = value.map(fromJSON);
    return Object.fromEntries(all.map((schedule, i) => [`${i + 1}: ${describe(schedule)}`, schedule]));
  }
  if (typeof value !== 'object' || value === null || 'kind' in value) return fromJSON(value);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fromJSON(item)]));
}

function list(): void {
  for (const kind of kinds) {
    const { name, about, fields } = kind;
    const top = topOf(kind);
    console.log(`${name}: ${about}`);
    for (const [option, { type, about: meaning, required, fallback }] of Object.entries(fields)) {
      const words = typeof type === 'string' ? '' : ` (${type.join(', ')})`;
      const needed =
        option === top ? ' [1]' : required ? '' : fallback === undefined ? ' [optional]' : ` [${String(fallback)}]`;
      console.log(`    ${flagOf(option).padEnd(19)} ${meaning}${words}${needed}`);
    }
  }
}

function addKind(parent: Command, kind: Kind): void {
  const command = withPlot(parent.command(kind.name).description(kind.about), kind);
  const top = topOf(kind);
  for (const [name, field] of Object.entries(kind.fields)) command.addOption(optionOf(name, field, name === top));
  command.action(async (options: Readonly<Record<string, unknown>> & PlotOptions) => {
    const own = Object.fromEntries(
      Object.keys(kind.fields).flatMap((name) => (name in options ? [[name, options[name]]] : [])),
    );
    const schedule = kind.make(own, fromJSON);
    const { stepsPerEpoch } = options;
    if (stepsPerEpoch === undefined || 'stepsPerEpoch' in kind.fields) return plot(schedule, withoutOwn(options, kind));
    const inner = schedule;
    const wrapped = fromJSON({ kind: 'perEpoch', params: { inner: inner.toJSON(), stepsPerEpoch } });
    return plot(wrapped, withoutOwn(options, kind));
  });
}

/** `steps` of a schedule is not how much of it is shown. */
function withoutOwn(options: PlotOptions, kind: Kind): PlotOptions {
  if (!('steps' in kind.fields)) return options;
  const { steps: _, ...others } = options;
  return others;
}

/** Adds the command with a subcommand for each kind of schedule. */
export function addScheduleCommand(program: Command): void {
  const command = withPlot(program.command('schedule'))
    .description('plot a schedule by its name and options, or schedules as JSON')
    .enablePositionalOptions()
    .option('--json <file>', 'a schedule as JSON, an array of them, or an object of them by name; - is standard input')
    .action(async (options: PlotOptions & { readonly json?: string }) => {
      if (options.json === undefined) return command.help();
      return plot(readSchedules(options.json), options);
    });
  command.command('list').description('every schedule with its options').action(list);
  for (const kind of kinds) addKind(command, kind);
}
