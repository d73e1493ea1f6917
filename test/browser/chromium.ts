// A real browser for tests: Chromium of the system, driven by playwright-core from test/tools.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toolRequire, toolsMissing } from '../support/tools.js';

/** What the tests use of playwright-core. */
export interface Page {
  goto(url: string): Promise<object | null>;
  locator(selector: string): Locator;
  evaluate<T>(code: string): Promise<T>;
  screenshot(options: { path: string }): Promise<Uint8Array>;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
  readonly mouse: {
    move(x: number, y: number, options?: { steps: number }): Promise<void>;
    down(): Promise<void>;
    up(): Promise<void>;
    dblclick(x: number, y: number): Promise<void>;
  };
}
export interface Locator {
  count(): Promise<number>;
  first(): Locator;
  nth(index: number): Locator;
  click(options?: { modifiers?: 'Shift'[] }): Promise<void>;
  dblclick(): Promise<void>;
  fill(text: string): Promise<void>;
  waitFor(): Promise<void>;
  textContent(): Promise<string | null>;
  allTextContents(): Promise<string[]>;
  getAttribute(name: string): Promise<string | null>;
  boundingBox(): Promise<{ x: number; y: number; width: number; height: number } | null>;
}
export interface Browser {
  newPage(options: object): Promise<Page>;
  close(): Promise<void>;
}
interface Playwright {
  chromium: { launch(options: object): Promise<Browser> };
}

const executable = ['chromium', 'chromium-browser', 'google-chrome']
  .flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
  .find((path) => existsSync(path));

/** Why there is no browser; false where there is one. */
export const noBrowser: string | false =
  toolRequire === null ? toolsMissing : executable === undefined ? 'there is no chromium on PATH' : false;

export async function launch(): Promise<Browser> {
  if (toolRequire === null || executable === undefined) throw new Error(String(noBrowser));
  const playwright: Playwright = toolRequire('playwright-core');
  // Its sandbox needs what containers do not have; the pages are our own.
  return playwright.chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
}

/** Waits until an expression is true in the page. (playwright's own way would need eval, which the page forbids.) */
export async function until(page: Page, code: string, timeout = 20_000): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await page.evaluate<boolean>(`Boolean(${code})`))) {
    if (performance.now() > end) throw new Error(`expected within ${timeout} ms: ${code}`);
    await sleep(20);
  }
}
