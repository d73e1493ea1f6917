// Makes a checkout ready to run: npm packages, the native addon, dist/. Each step is skipped when it is up to date.

import { main } from './lib/process.mjs';
import { setup } from './lib/setup.mjs';

await main(() => setup());
