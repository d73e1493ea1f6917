#!/usr/bin/env node
// The `anneal` command.
import { Command, InvalidArgumentError, Option } from 'commander';
import { AnnealError, reasonOf } from '../errors.js';
import { DEFAULT_EVENTS } from '../profile/session.js';
import { version } from '../version.js';
import { bench, peersOf } from './bench.js';
import { compareScript } from './compare.js';
import { dashboard } from './dashboard.js';
import { deviceNamed, withDevice } from './device.js';
import { doctor } from './doctor.js';
import { profileScript } from './profile.js';
import { quickstart } from './quickstart.js';
import { reportRun } from './report.js';
import { addScheduleCommand } from './schedule.js';
import { searchConfig } from './search.js';
import { resumeRun, trainConfig } from './train.js';

function integer(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`Expected an integer of at least ${minimum}.`);
    }
    return value;
  };
}

const program = new Command('anneal')
  .version(version)
  .description('Train neural networks in Node.js.')
  .enablePositionalOptions();

withDevice(program.command('quickstart'), 'where to train')
  .description('train a small net on the full MNIST')
  .addOption(new Option('--net <name>', 'a conv net or a perceptron').choices(['cnn', 'mlp']).default('cnn'))
  .option('--epochs <count>', 'epochs', integer(1), 3)
  .option('--seed <number>', 'seed of weights and shuffling', integer(0), 1)
  .option('--batch-size <count>', 'images a step', integer(1), 128)
  .option('--threads <count>', 'CPU threads (default: one a core)', integer(1))
  .option('--images <count>', 'only so many images, to see that it runs (default: all)', integer(1))
  .option('--out <folder>', 'where weights, checkpoints and the report go', 'runs/quickstart')
  .action(async (options) => {
    process.exitCode = await quickstart(options);
  });

function peers(text: string): ReturnType<typeof peersOf> {
  try {
    return peersOf(text);
  } catch (error) {
    throw new InvalidArgumentError(reasonOf(error));
  }
}

withDevice(program.command('bench'), 'what to measure')
  .description("throughput of every kernel as a share of this machine's own limit, beside peers")
  .addOption(
    new Option('--precision <name>', "what a CUDA device's products compute in").choices(['f32', 'tf32', 'bf16']),
  )
  .option('--only <patterns>', 'works or groups: substrings or regular expressions, comma-separated')
  .option('--full', 'all works on a software adapter too, where few are measured unless --only says which', false)
  .option('--threads <count>', "CPU threads, ours and the peers' (default: one a core)", integer(1))
  .option('--peers <names>', 'who runs beside us, comma-separated', peers)
  .option('--seed <number>', 'seed of all operands', integer(0), 1)
  .option('--budget <ms>', 'milliseconds of samples for each row', integer(1), 400)
  .option('--json <file>', 'write the result')
  .option('--html <file>', 'write a page with charts')
  .option('--markdown <file>', 'write a table, a line for each work')
  .option('--compare <file>', 'compare with the JSON of another run')
  .option('--list', 'list the works and measure nothing')
  .action(async (options) => {
    process.exitCode = await bench(options);
  });

program
  .command('compare')
  .description('find the first op of a script that two devices disagree on')
  .argument('<script>', 'what node runs, on the CPU; or a recording that an earlier comparison kept')
  .argument('[args...]', "the script's own arguments")
  .option(
    '--devices <two>',
    'cpu, cpu:avx2 (an instruction set), cpu:3 (threads), webgpu, cuda or cuda:1',
    'cpu,webgpu',
  )
  .option('--ops <count>', 'ops that are compared, from the first on', integer(1), 2000)
  .option('--op <index>', 'only this op of a recording', integer(0))
  .option('--out <file>', 'where the recording is kept when they disagree', 'compare.ops')
  .passThroughOptions()
  .action(async (script, args, options) => {
    process.exitCode = await compareScript(script, args, options);
  });

program
  .command('profile')
  .description('run a script and see where its time goes: a trace of JavaScript, queue and threads, and a table')
  .argument('<script>', 'what node runs; options of this command go before it')
  .argument('[args...]', "the script's own arguments")
  .option('--out <file>', 'where the trace goes: JSON for ui.perfetto.dev', 'trace.json')
  .option('--events <count>', 'events that are kept of each thread', integer(1), DEFAULT_EVENTS)
  .option('--no-limits', "leave this machine's limits, and shares of them, out")
  .addOption(new Option('--by <what>', 'rows of the table').choices(['op', 'shape']).default('op'))
  .passThroughOptions()
  .action(async (script, args, options) => {
    process.exitCode = await profileScript(script, args, options);
  });

addScheduleCommand(program);

withDevice(program.command('train'), 'where to train')
  .description('train what a file says: a default export by train.defineConfig')
  .argument('<config>', 'a module; TypeScript where Node.js reads it, or tsx is installed')
  .argument('[args...]', 'what the configuration is told')
  .option('--dir <folder>', "the run's folder (default: runs/<name of the file>, numbered)")
  .option('--epochs <count>', "in place of the configuration's", integer(1))
  .option('--seed <number>', "in place of the configuration's", integer(0))
  .action(async (config, args, options) => {
    process.exitCode = await trainConfig(config, args, options);
  });

program
  .command('resume')
  .description('go on with a run of "anneal train" from its newest whole checkpoint')
  .argument('<run>', "the run's folder")
  .option('--epochs <count>', 'another end', integer(1))
  .option('--device <name>', 'another device', deviceNamed)
  .option('--allow-software', 'take a WebGPU adapter that is a CPU', false)
  .action(async (folder, options) => {
    process.exitCode = await resumeRun(folder, options);
  });

withDevice(program.command('search'), 'where to compute')
  .description('search over hyperparameters as a file says: a default export by search.defineSearch')
  .argument('<config>', 'a module; TypeScript where Node.js reads it, or tsx is installed')
  .option('--trials <count>', "of a random search, in place of the configuration's", integer(0))
  .option('--workers <count>', 'trials at a time, each in a worker thread', integer(1))
  .option(
    '--log <file>',
    'where trials are kept, and the search goes on from (default: runs/<name of the file>.search.jsonl)',
  )
  .option('--svg <file>', 'draw the value of each trial over its parameters')
  .action(async (config, options) => {
    process.exitCode = await searchConfig(config, options);
  });

program
  .command('report')
  .description('make report.html of a recorded run anew, and print the run as a table')
  .argument('<run>', "the run's folder")
  .action(async (run) => {
    process.exitCode = await reportRun(run);
  });

program
  .command('dashboard')
  .description('show the curves of all runs in a folder in the browser, live: on this machine only, changing nothing')
  .argument('[folder]', 'where runs are, at any depth', 'runs')
  .option('--port <number>', 'where it listens (default: 7007, or one that is free)', integer(0))
  .action(async (folder, options) => {
    process.exitCode = await dashboard(folder, options);
  });

program
  .command('doctor')
  .description('list the devices, and for each missing one the reason and what mends it')
  .action(async () => {
    process.exitCode = await doctor();
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof AnnealError)) throw error;
  console.error(`${error.code} ${error.message}`);
  process.exitCode = 1;
}
