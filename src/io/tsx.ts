// Modules in TypeScript, where Node.js does not read them itself.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const isTypeScript = (pathOrUrl: string): boolean => /\.[cm]?ts$/.test(pathOrUrl);

/**
 * The URL of the module of tsx whose `register()` makes Node.js read TypeScript, as it is installed for `script`, a path or a URL; null
 * where it is not. (`require.resolve` gives its CommonJS variant, which cannot register what `import` is to use.)
 */
export function tsxModule(script: string): string | null {
  try {
    const description = createRequire(script).resolve('tsx/package.json');
    const { exports }: { exports?: Record<string, { import?: { default?: string } }> } = JSON.parse(
      readFileSync(description, 'utf8'),
    );
    const path = exports?.['./esm/api']?.import?.default;
    return path === undefined ? null : pathToFileURL(join(dirname(description), path)).href;
  } catch {
    return null;
  }
}
