import { onEachDriver } from './on_each_driver.js';

onEachDriver('f16', 'test/webgpu/half_body.ts', 300_000);
