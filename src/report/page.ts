/** A page of our own as one HTML document that needs no network: what it uses is inlined. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { escapeXml } from '../chart/svg.js';
import { AnnealError } from '../errors.js';

export interface Page {
  readonly title: string;
  /** HTML. */
  readonly body: string;
  /** What scripts find as JSON in #report-data. */
  readonly data?: unknown;
  /** Files, in their order. */
  readonly styles: readonly string[];
  readonly scripts: readonly string[];
}

/** A file of assets/. */
export function asset(name: string): string {
  return fileURLToPath(new URL(`../../assets/${name}`, import.meta.url));
}

/** A built file of uPlot. */
export function uplotFile(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist', name);
}

/** The document. @throws AnnealError E_IO when an inlined file cannot be read */
export async function renderPage({ title, body, data, styles, scripts }: Page): Promise<string> {
  const [css, js] = await Promise.all([Promise.all(styles.map(readText)), Promise.all(scripts.map(readText))]);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeXml(title)}</title>
${css.map((text) => `<style>${text}</style>`).join('\n')}
</head>
<body>
<header>
<h1>${escapeXml(title)}</h1>
<button id="theme" type="button" title="Light, dark, or as the system has it">Theme: system</button>
</header>
<main>
${body}
</main>
${data === undefined ? '' : `<script id="report-data" type="application/json">${embedJson(data)}</script>`}
${js.map((text) => `<script>${embedScript(text)}</script>`).join('\n')}
</body>
</html>
`;
}

/** JSON that cannot end the script element it stands in, whatever strings it holds. */
export function embedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** In a script, "</script" can only stand in a string, a regular expression or a comment, where the backslash is void. */
function embedScript(script: string): string {
  return script.replaceAll(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '<\\!--');
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AnnealError('E_IO', `report: expected to read ${path} from the installed package`, { cause });
  }
}

/** A card with names and values. */
export function facts(title: string, values: Readonly<Record<string, unknown>>): string {
  return factsOf(title, flatten(values));
}

export function factsOf(title: string, values: readonly (readonly [name: string, value: string])[]): string {
  const rows = values.map(([name, value]) => `<dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd>`);
  return `<section class="card"><h2>${title}</h2><dl>${rows.join('\n')}</dl></section>`;
}

/** { a: { b: 1 } } as [['a.b', '1']]. */
export function flatten(values: object, prefix = ''): [string, string][] {
  return Object.entries(values).flatMap(([key, value]: [string, unknown]): [string, string][] => {
    const name = `${prefix}${key}`;
    if (value === undefined) return [];
    if (typeof value === 'string') return [[name, value]];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return flatten(value, `${name}.`);
    return [
      [
        name,
        typeof value === 'number' || typeof value === 'bigint'
          ? String(value)
          : (JSON.stringify(value) ?? String(value)),
      ],
    ];
  });
}
