// Searches and ensembles on WebGPU, on each driver, in a process that finds it: search_body.ts.
import { onEachDriver } from './on_each_driver.js';

onEachDriver('search and ensembles', 'test/devices/search_body.ts', 120_000);
