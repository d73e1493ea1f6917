// Every program of the guide runs, and makes the pictures that the guide shows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runSnippet, snippetsOf } from '../../docs/snippets.js';
import { root } from '../support/child.js';

const page = join(root, 'docs', 'training.md');
const text = readFileSync(page, 'utf8');
const snippets = snippetsOf(page);
const shown = [...text.matchAll(/!\[[^\]]*\]\((training\/[\w-]+\.svg|[\w-]+\.png)\)/g)].map(([, path = '']) => path);
const made = new Set<string>();

test('the guide has programs, and every block of TypeScript is one', () => {
  assert.ok(snippets.length >= 10);
  assert.equal(text.match(/^```ts$/gm)?.length, snippets.length);
});

test('the programs are what the types allow', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-guide-'));
  try {
    for (const { name, code } of snippets) writeFileSync(join(folder, `${name}.mts`), code);
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: true,
        typeRoots: [join(root, 'node_modules', '@types')],
        paths: { anneal: [join(root, 'src', 'index.ts')] },
      },
      include: ['*.mts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const snippet of snippets) {
  test(`${snippet.name} runs`, async () => {
    const { code, output, pictures } = await runSnippet(snippet);
    assert.equal(code, 0, output);
    for (const [name, svg] of Object.entries(pictures)) {
      made.add(`training/${name}`);
      assert.match(svg, /<path class="curve c0"[^>]* d="M[^"]{20,}"|<circle [^>]*class="c0"/, name);
    }
  });
}

test('the pictures that are shown are those that are made', () => {
  assert.deepEqual(shown.filter((path) => path.endsWith('.svg')).sort(), [...made].sort());
  for (const path of shown) assert.ok(existsSync(join(root, 'docs', path)), path);
});
