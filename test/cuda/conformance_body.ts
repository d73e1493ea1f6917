// Runs the case tables on a CUDA device, the emulated one or a GPU, against the reference kernels; prints an object of what is
// wrong, by op. Arguments: ops, or none for all.
import { runTables } from '../devices/conformance.js';
import { flopsOf, runCase } from '../support/conformance.js';
import { raw } from '../support/raw.js';

const device = raw.openCuda(0);
const precision = process.env.ANNEAL_TEST_PRECISION;
const rounds = precision === 'tf32' || precision === 'bf16';
if (rounds) device.setPrecision(precision);

/** Flops above which a case is left out. */
const most = Number(process.env.ANNEAL_TEST_MOST_FLOPS ?? Number.POSITIVE_INFINITY);

const wrong = await runTables(
  {
    run: (info, one, placed, values) => runCase(info, one, values, false, placed, device),
    // Where a CPU plays the GPU.
    large: device.about.emulated ? 3e6 : 1e9,
    rounds,
  },
  process.argv.slice(2),
  (info, one) => flopsOf(info, one) <= most,
);
// A line of its own: what watches the process may print behind it.
process.stdout.write(`${JSON.stringify({ detail: device.about.name, wrong }, null, 1)}\n`);
