// `anneal train` and `anneal resume`: a configuration trained in a folder of its own, and gone on with.
import { existsSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import { saveWeights } from '../nn/index.js';
import { metricValue } from '../report/format.js';
import * as report from '../report/index.js';
import { configFile, readDescription } from '../report/run.js';
import type { ConfigContext, FitOptions, TrainConfig } from '../train/index.js';
import * as train from '../train/index.js';
import { configName, loadConfig } from './config_file.js';
import { type DeviceOptions, isDevice, useDevice } from './device.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';

export interface TrainOptions extends DeviceOptions {
  /** The run's folder. */
  readonly dir?: string;
  readonly epochs?: number;
  readonly seed?: number;
}

const checkpointsOf = (dir: string): string => join(dir, 'checkpoints');

/** The default export of a configuration's file. @throws E_IO, E_ARGUMENT */
async function load(path: string, context: ConfigContext): Promise<TrainConfig> {
  const given = await loadConfig('train', path);
  const config: unknown = typeof given === 'function' ? await given(context) : given;
  if (!isConfig(config)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${path}: expected a default export by train.defineConfig with model, data, optimizer and epochs`,
    );
  }
  return config;
}

function isConfig(value: unknown): value is TrainConfig {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['model', 'data', 'optimizer'].every((name) => name in value) &&
    'epochs' in value &&
    typeof value.epochs === 'number'
  );
}

/** runs/<name>, runs/<name>-2 and so on: the first that is not there. */
function freshFolder(path: string): string {
  const name = configName(path);
  for (let count = 1; ; count++) {
    const dir = join('runs', count === 1 ? name : `${name}-${count}`);
    if (!existsSync(dir)) return dir;
  }
}

/** Trains a configuration from its beginning. */
export async function trainConfig(path: string, args: readonly string[], options: TrainOptions): Promise<number> {
  const dir = options.dir ?? freshFolder(path);
  if ((await train.latestCheckpoint(dir)).checkpoint !== null) {
    const again = `go on with it by "anneal resume ${dir}", or choose another folder`;
    throw new AnnealError(
      'E_ARGUMENT',
      `train: expected a folder without checkpoints, ${dir} holds those of a run: ${again}`,
    );
  }
  return run(resolve(path), args, dir, options, false);
}

/** What config.json says of how "anneal train" was called. */
interface TrainCommand extends DeviceOptions {
  /** The configuration, from the run's folder. */
  readonly source: string;
  readonly args: readonly string[];
  readonly seed: number;
  readonly epochs: number;
}

/** @throws E_ARGUMENT when it says nothing; E_FORMAT naming the field that is not as it should be */
async function readCommand(dir: string): Promise<TrainCommand> {
  const { command } = (await readDescription(dir)).config;
  if (command === undefined)
    throw new AnnealError('E_ARGUMENT', `resume: expected a run that "anneal train" began, ${dir} holds none`);
  const where = `${join(dir, configFile)}, config.command`;
  const { device, args, ...rest } = fieldsOf(where, command, {
    source: 'string',
    args: 'array',
    seed: 'number',
    epochs: 'number',
    device: 'string',
    allowSoftware: 'boolean',
  });
  if (!isDevice(device)) {
    throw new AnnealError(
      'E_FORMAT',
      `${where}: expected device to be auto, cpu, webgpu, cuda, cuda:1 and so on, received '${device}'`,
    );
  }
  return { ...rest, device, args: args.map(String) };
}

/** Goes on with a run that was stopped, killed or has failed, from its newest whole checkpoint. */
export async function resumeRun(dir: string, options: Partial<TrainOptions>): Promise<number> {
  const { source, args, ...command } = await readCommand(dir);
  if ((await train.latestCheckpoint(dir)).checkpoint === null)
    throw new AnnealError('E_ARGUMENT', `resume: expected a checkpoint in ${dir}, found none`);
  const given: TrainOptions = {
    ...command,
    ...options,
    allowSoftware: options.allowSoftware === true || command.allowSoftware,
  };
  return run(resolve(dir, source), args, dir, given, true);
}

async function run(
  path: string,
  args: readonly string[],
  dir: string,
  options: TrainOptions,
  resumes: boolean,
): Promise<number> {
  const { name, detail } = await useDevice(options);
  const config = await load(path, { args, seed: options.seed ?? 0, epochs: options.epochs });
  const seed = options.seed ?? config.seed ?? 0;
  const epochs = options.epochs ?? config.epochs;
  const context: ConfigContext = { args, seed, epochs: options.epochs };
  console.log(`Device ${name}: ${detail}. Seed ${seed}. Folder ${dir}.`);
  const {
    title = basename(dir),
    model: givenModel,
    data: givenData,
    optimizer,
    checkpoint,
    config: settings,
    ...rest
  } = config;
  const model = typeof givenModel === 'function' ? await givenModel(context) : givenModel;
  const data = typeof givenData === 'function' ? await givenData(context) : { train: givenData };
  const { batchesPerEpoch = Number.NaN } = data.train;
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / (rest.accumulate ?? 1));
  const command: TrainCommand = {
    source: relative(dir, path),
    args,
    seed,
    epochs,
    device: options.device,
    allowSoftware: options.allowSoftware,
  };
  using interrupt = new Interrupt();
  try {
    const fitting: FitOptions = {
      ...rest,
      data: data.train,
      ...(data.validation && { validation: data.validation }),
      epochs,
      seed,
      optimizer:
        typeof optimizer === 'function'
          ? optimizer({ epochs, stepsPerEpoch, totalSteps: stepsPerEpoch * epochs })
          : optimizer,
      callbacks: [
        ...(rest.callbacks ?? []),
        ...(checkpoint === false ? [] : [train.checkpoint({ ...checkpoint, directory: checkpointsOf(dir) })]),
        report.record({ dir, title, config: { ...settings, command } }),
        report.progress(),
      ],
      signal: interrupt.signal,
      ...(resumes && { resume: dir }),
    };
    await using training = train.fit(model, fitting);
    const { stopReason, best, steps } = await training.result;
    const shown = (file: string): string => relative(process.cwd(), join(dir, file));
    if (stopReason === 'aborted') {
      console.log(`\nInterrupted after ${steps} steps. Go on with: npx anneal resume ${relative(process.cwd(), dir)}`);
      return INTERRUPTED;
    }
    await saveWeights(join(dir, 'model.safetensors'), model);
    if (best)
      console.log(
        `\nBest: ${best.monitor} ${metricValue(best.monitor, best.value)} after epoch ${best.epoch + 1}${best.restored ? ', restored' : ''}.`,
      );
    console.log(`Stopped: ${stopReason}, after ${steps} steps.`);
    console.log(`Weights ${shown('model.safetensors')}\nReport  ${shown('report.html')}`);
    return 0;
  } finally {
    model.dispose();
  }
}
