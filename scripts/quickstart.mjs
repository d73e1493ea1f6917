// npm run quickstart -- --seed 1: sets the checkout up, then trains for a few minutes and shows the result.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main, root } from './lib/process.mjs';
import { setup } from './lib/setup.mjs';

await main(async () => {
  await setup();
  // In this process, not in a child: Ctrl-C then reaches the command once, and its exit status is ours.
  const cli = join(root, 'dist', 'cli', 'main.js');
  process.argv.splice(1, 1, cli, 'quickstart');
  await import(pathToFileURL(cli).href);
  return process.exitCode;
});
