// A user's configuration: a module's default export.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AnnealError } from '../errors.js';
import { defaultExport } from '../io/default_export.js';
import { isTypeScript, tsxModule } from '../io/tsx.js';
import { checkScript } from './script.js';

/** @throws E_IO where there is no such file; E_ARGUMENT for TypeScript that nothing here reads */
export async function loadConfig(command: string, path: string): Promise<unknown> {
  if (!existsSync(path)) throw new AnnealError('E_IO', `${command}: expected a configuration, found no file ${path}`);
  if (isTypeScript(path)) await loadTypeScript(command, path);
  return defaultExport(pathToFileURL(path).href);
}

/** TypeScript where Node.js does not read it itself: by the tsx that the user has. */
async function loadTypeScript(command: string, path: string): Promise<void> {
  try {
    checkScript(command, path);
  } catch (error) {
    const tsx = tsxModule(path);
    if (tsx === null) throw error;
    const api: { register?: () => unknown } = await import(tsx);
    api.register?.();
  }
}

/** mnist of mnist.config.ts: what is made for it is named so. */
export const configName = (path: string): string => basename(path).replace(/(\.(config|search))?\.[cm]?[jt]s$/, '');
