// The WebGPU device on each driver, in a process that finds it: backend_body.ts.
import { onEachDriver } from './on_each_driver.js';

onEachDriver('the device', 'test/webgpu/backend_body.ts', 480_000);
