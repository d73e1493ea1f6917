// Compiles src/ to dist/: ES modules with declarations by tsc, and one CommonJS file bundled from them by esbuild.
// Does nothing when dist/ is up to date.
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Failure, log, main, root, run, since } from './lib/process.mjs';

const dist = join(root, 'dist');
const stampPath = join(root, 'build', 'ts.json');

function filesUnder(dir, extension) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function sourceHash() {
  const hash = createHash('sha256');
  const inputs = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'scripts/build-ts.mjs'];
  for (const path of [...inputs.map((name) => join(root, name)), ...filesUnder(join(root, 'src'), '.ts')]) {
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  return hash.digest('hex');
}

function upToDate(hash) {
  return (
    existsSync(join(dist, 'index.js')) &&
    existsSync(join(dist, 'cjs', 'index.cjs')) &&
    existsSync(stampPath) &&
    JSON.parse(readFileSync(stampPath, 'utf8')).hash === hash
  );
}

async function buildEsm() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const status = await run(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  if (status !== 0) throw new Failure('the TypeScript build failed', status);
  const cli = join(dist, 'cli', 'main.js');
  if (existsSync(cli)) chmodSync(cli, 0o755);
}

// dist/cjs says that it is CommonJS, so the same declarations, read from there, describe the CommonJS file.
async function buildCommonJs() {
  const { build } = await import('esbuild');
  const out = join(dist, 'cjs');
  await build({
    entryPoints: [join(dist, 'index.js')],
    outfile: join(out, 'index.cjs'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "'use strict';\nconst importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
    logLevel: 'warning',
  });
  for (const path of filesUnder(dist, '.d.ts')) {
    if (!path.startsWith(out) && !path.startsWith(join(dist, 'cli'))) cpSync(path, join(out, relative(dist, path)));
  }
  writeFileSync(join(out, 'package.json'), '{ "type": "commonjs" }\n');
}

await main(async () => {
  const hash = sourceHash();
  if (upToDate(hash)) {
    log('dist/ is up to date');
    return;
  }
  const start = performance.now();
  log('building dist/ from src/');
  rmSync(stampPath, { force: true });
  rmSync(dist, { recursive: true, force: true });
  await buildEsm();
  await buildCommonJs();
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(stampPath, `${JSON.stringify({ hash })}\n`);
  log(`built dist/ in ${since(start)}`);
});
