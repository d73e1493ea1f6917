// `anneal schedule`: the command as it is within the program, but in this process.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { Command, CommanderError } from 'commander';
import { addScheduleCommand } from '../../src/cli/schedule.js';
import { AnnealError } from '../../src/errors.js';
import { kinds } from '../../src/schedule/from_json.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-schedule-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What it prints. */
async function command(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const log = mock.method(console, 'log', (line: string) => lines.push(line));
  const program = new Command('anneal').enablePositionalOptions().exitOverride();
  program.configureOutput({ writeErr: () => undefined, writeOut: (text) => lines.push(text) });
  addScheduleCommand(program);
  try {
    await program.parseAsync(['schedule', ...args], { from: 'user' });
  } finally {
    log.mock.restore();
  }
  return `${lines.join('\n')}\n`;
}

test('writes a picture', async () => {
  const out = join(folder, 's.svg');
  const stdout = await command('cosine', '--from', '0.1', '--steps', '1000', '--out', out);
  assert.equal(stdout, `Written ${out}\n`);
  const text = readFileSync(out, 'utf8');
  assert.match(text, /^<svg /);
  assert.match(text, /<title>cosine\(from 0\.1, min 0, steps 1000\)<\/title>/);
});

test('the top is 1 where nothing is said', async () => {
  const out = join(folder, 'top.svg');
  await command('cosine', '--steps', '1000', '--out', out);
  assert.match(readFileSync(out, 'utf8'), /<title>cosine\(from 1, min 0, steps 1000\)<\/title>/);
  assert.match(await command('warmup', '--steps', '10'), /^warmup\(from 0, to 1, /);
  assert.match(await command('list'), /^cosine: .*\n +--from +the value at step 0 \[1\]$/m);
});

test('without a file it plots in the terminal and prints values', async () => {
  const stdout = await command(
    'step',
    '--from',
    '1',
    '--gamma',
    '0.5',
    '--every',
    '2',
    '--steps-per-epoch',
    '50',
    '--until',
    '400',
  );
  const lines = stdout.split('\n');
  assert.match(lines[0] ?? '', /^perEpoch\(step\(from 1, gamma 0\.5, every 2\), stepsPerEpoch 50, /);
  assert.equal(lines.filter((line) => /┤[\u2800-\u28ff]{64}$/.test(line)).length, 10);
  assert.match(stdout, /\nstep +0 +40 +80 +120 .* 400\nvalue +1 +1 +1 +0\.5 .* 0\.0625\n/);
});

test('words, numbers and flags are options of the schedule', async () => {
  const stdout = await command(
    'oneCycle',
    '--max',
    '1',
    '--steps',
    '101',
    '--pct-start',
    '0.25',
    '--anneal',
    'linear',
    '--three-phase',
  );
  assert.match(stdout, /^oneCycle\(max 1, steps 101, pctStart 0\.25, anneal linear, threePhase true, /);
  const milestones = await command('milestones', '--from', '1', '--gamma', '0.1', '--milestones', '3,5');
  assert.match(milestones, /milestones \[3, 5\]\)/);
});

test('JSON holds one schedule, or several', async () => {
  const file = join(folder, 'several.json');
  const linear = { kind: 'linear', params: { from: 1, steps: 10 } };
  writeFileSync(file, JSON.stringify({ first: linear, second: { kind: 'constant', params: { value: 0.5 } } }));
  const out = join(folder, 'several.svg');
  await command('--json', file, '--out', out, '--title', 'Two');
  assert.match(readFileSync(out, 'utf8'), />first<\/text>[\s\S]*>second<\/text>/);
  writeFileSync(file, JSON.stringify([linear]));
  assert.match(await command('--json', file), /^1: linear\(from 1, end 0, steps 10\)\n/);
  writeFileSync(file, '{');
  await assert.rejects(command('--json', file), (error: unknown) => {
    assert.ok(error instanceof AnnealError);
    assert.match(error.message, /^schedule: expected JSON in /);
    return true;
  });
});

test('list tells every schedule and its options', async () => {
  const stdout = await command('list');
  for (const { name, about, fields } of kinds) {
    assert.ok(stdout.includes(`${name}: ${about}\n`), name);
    for (const { about: meaning } of Object.values(fields)) assert.ok(stdout.includes(meaning), `${name}: ${meaning}`);
  }
});

test('bad options are told in a line', async () => {
  const refused = async (args: readonly string[], message: RegExp): Promise<void> => {
    await assert.rejects(command(...args), (error: unknown) => {
      assert.ok(error instanceof AnnealError || error instanceof CommanderError);
      assert.match(error.message, message);
      return true;
    });
  };
  await refused(['cosine', '--from', '3'], /required option '--steps <number>' not specified/);
  await refused(['cosine', '--from', '0.1', '--steps', '-3'], /^cosine: expected steps to be positive, received -3$/);
  await refused(
    ['cosine', '--from', 'x', '--steps', '3'],
    /'--from <number>' argument 'x' is invalid. Expected a number/,
  );
  await refused(['wsd', '--shape', 'sqrt'], /Allowed choices are linear, cosine, 1-sqrt/);
});
