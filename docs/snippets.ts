// npm run docs:training: runs every program of docs/training.md and keeps the pictures they make. The tests run them, too.
//
// A program is a block of TypeScript whose first line names its file. It is run in an empty folder, with 'anneal' meaning this
// source tree.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const library = pathToFileURL(join(here, '..', 'src', 'index.ts')).href;
const tsx = pathToFileURL(join(here, '..', 'node_modules', 'tsx', 'dist', 'loader.mjs')).href;

export interface Snippet {
  /** Without an ending. */
  readonly name: string;
  readonly code: string;
}

/** The programs of a page. */
export function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(page, 'utf8');
  return [...text.matchAll(/^```ts\n\/\/ (\w+)\.ts\n(.*?)^```$/gms)].map(([, name = '', code = '']) => ({
    name,
    code,
  }));
}

export interface Outcome {
  readonly code: number | null;
  readonly output: string;
  /** Text of the pictures by file. */
  readonly pictures: Readonly<Record<string, string>>;
}

export async function runSnippet({ name, code }: Snippet): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), `anneal-${name}-`));
  try {
    const file = join(folder, `${name}.mts`);
    writeFileSync(file, code.replaceAll("from 'anneal'", `from '${library}'`));
    const child = spawn(process.execPath, ['--import', tsx, file], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const exit = await new Promise<number | null>((done, failed) => {
      child.once('error', failed);
      child.once('close', done);
    });
    const names = readdirSync(folder).filter((entry) => entry.endsWith('.svg'));
    const pictures = Object.fromEntries(names.map((entry) => [entry, readFileSync(join(folder, entry), 'utf8')]));
    return { code: exit, output, pictures };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = join(here, 'training');
  mkdirSync(out, { recursive: true });
  for (const snippet of snippetsOf(join(here, 'training.md'))) {
    const { code, output, pictures } = await runSnippet(snippet);
    console.log(`${snippet.name}: ${code === 0 ? 'ok' : `ended with ${code}`}\n${output}`);
    if (code !== 0) process.exitCode = 1;
    for (const [name, text] of Object.entries(pictures)) writeFileSync(join(out, name), text);
  }
}
