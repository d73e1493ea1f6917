/** What a module exports by default; of CommonJS, or what was compiled to it, its own `default` where there is one. */
export async function defaultExport(url: string): Promise<unknown> {
  const loaded: { default?: unknown } = await import(url);
  // A CommonJS module's exports are all under default.
  const outer = loaded.default;
  return typeof outer === 'object' && outer !== null && 'default' in outer ? outer.default : outer;
}
