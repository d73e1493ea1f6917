// The log of a search: one JSON object a line, first what was declared, then each trial that has ended. Only ever appended to.
import { readFile } from 'node:fs/promises';
import { AnnealError, reasonOf } from '../errors.js';
import { fieldsOf, isJsonObject, type JsonObject } from '../io/fields.js';
import { type JsonValue, parseJson, stringifyJson } from '../io/json.js';
import { AppendFile } from '../report/append_file.js';
import type { Proposals } from './proposals.js';
import type { Direction } from './pruner.js';
import type { Choice } from './space.js';
import { type Report, type TrialRecord, type TrialState, trialJson } from './trial.js';

/** What a log says. */
export interface SearchLogContent {
  readonly direction: Direction;
  /** 'random' or 'grid' with the space: as it was declared. */
  readonly declaration: JsonValue;
  /** By number. */
  readonly trials: readonly TrialRecord[];
}

const VERSION = 1;

const isState = (value: unknown): value is TrialState =>
  value === 'complete' || value === 'pruned' || value === 'failed';
const isChoice = (value: JsonValue): value is Choice => value === null || typeof value !== 'object';

function parseLine(text: string, where: string): JsonObject {
  try {
    const json = parseJson(text);
    return isJsonObject(json) ? json : {};
  } catch (cause) {
    throw new AnnealError('E_FORMAT', `${where}: expected a line of JSON (${reasonOf(cause)})`, { cause });
  }
}

function trialOf(line: JsonObject, where: string): TrialRecord {
  const { type, state, value = null, error = null } = line;
  if (type !== 'trial' || !isState(state))
    throw new AnnealError('E_FORMAT', `${where}: expected a trial with a state, received ${stringifyJson(line)}`);
  const { number, parameters, metrics, reports, seconds } = fieldsOf(where, line, {
    number: 'number',
    parameters: 'object',
    metrics: 'object',
    reports: 'array',
    seconds: 'number',
  });
  const chosen = Object.entries(parameters ?? {}).filter((entry): entry is [string, Choice] => isChoice(entry[1]));
  return {
    number,
    state,
    parameters: Object.fromEntries(chosen),
    value: typeof value === 'number' ? value : null,
    metrics: Object.fromEntries(Object.entries(metrics ?? {}).map(([name, each]) => [name, Number(each)])),
    reports: reports.map((pair): Report => {
      const [step, reported] = Array.isArray(pair) ? pair : [];
      return { step: Number(step), value: Number(reported) };
    }),
    error: typeof error === 'string' ? error : null,
    seconds,
  };
}

function parse(bytes: Buffer, path: string): { content: SearchLogContent | null; end: number } {
  const lines: JsonObject[] = [];
  let end = 0;
  // A crash can tear the last line: one without an end is none.
  for (let next = bytes.indexOf('\n'); next >= 0; next = bytes.indexOf('\n', end)) {
    lines.push(parseLine(bytes.toString('utf8', end, next), `${path}:${lines.length + 1}`));
    end = next + 1;
  }
  const [head, ...rest] = lines;
  if (head === undefined) return { content: null, end: 0 };
  const { type, version, direction, declaration } = head;
  if (type !== 'search' || version !== VERSION || (direction !== 'minimize' && direction !== 'maximize')) {
    throw new AnnealError('E_FORMAT', `${path}:1: expected the log of a search of version ${VERSION}`);
  }
  // Of a failed trial that was repeated the last line counts.
  const byNumber = new Map(
    rest.map((line, i) => trialOf(line, `${path}:${i + 2}`)).map((trial) => [trial.number, trial]),
  );
  const trials = [...byNumber.values()].sort((a, b) => a.number - b.number);
  return { content: { direction, declaration: declaration ?? null, trials }, end };
}

/** @throws E_IO; E_FORMAT naming the line */
export async function readLog(path: string): Promise<SearchLogContent> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new AnnealError('E_IO', `${path}: expected the log of a search (${reasonOf(cause)})`, { cause });
  }
  const { content } = parse(bytes, path);
  if (content === null) throw new AnnealError('E_FORMAT', `${path}: expected the log of a search, it is empty`);
  return content;
}

export class SearchLog implements AsyncDisposable {
  private constructor(
    private readonly file: AppendFile,
    /** What had ended before. */
    readonly trials: readonly TrialRecord[],
  ) {}

  /**
   * Begins a log, or takes one up. @throws E_IO; E_FORMAT when the file is no log of a search; E_ARGUMENT when it is that of another one
   */
  static async open(path: string, direction: Direction, proposals: Proposals): Promise<SearchLog> {
    let found = null as SearchLogContent | null;
    const file = await AppendFile.open(path, (bytes) => {
      const { content, end } = parse(bytes, path);
      if (content !== null) checkSame(path, content, direction, proposals);
      found = content;
      return end;
    });
    const log = new SearchLog(file, found?.trials ?? []);
    if (found === null) {
      const { declaration } = proposals;
      await log.write({ type: 'search', version: VERSION, direction, declaration });
    }
    return log;
  }

  /** Returns once it is on the disk. */
  append(trial: TrialRecord): Promise<void> {
    return this.write(trialJson(trial));
  }

  private async write(line: JsonValue): Promise<void> {
    this.file.append(`${stringifyJson(line)}\n`);
    await this.file.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.file.close();
  }
}

function checkSame(path: string, content: SearchLogContent, direction: Direction, proposals: Proposals): void {
  const [theirs, ours] = [
    { direction: content.direction, declaration: content.declaration },
    { direction, declaration: proposals.declaration },
  ].map((each) => stringifyJson(each));
  if (theirs !== ours) {
    throw new AnnealError(
      'E_ARGUMENT',
      `search: expected in ${path} the log of this search, ${ours}, received that of ${theirs}`,
    );
  }
  for (const { number, parameters } of content.trials) {
    const expected = stringifyJson(proposals.parameters(number));
    if (stringifyJson(parameters) !== expected) {
      throw new AnnealError(
        'E_FORMAT',
        `${path}: expected trial ${number} with ${expected}, received ${stringifyJson(parameters)}`,
      );
    }
  }
}
