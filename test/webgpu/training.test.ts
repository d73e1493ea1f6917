// Training on WebGPU, on each driver, in a process that finds it: training_body.ts.
import { onEachDriver } from './on_each_driver.js';

onEachDriver('training', 'test/devices/training_body.ts', 300_000);
