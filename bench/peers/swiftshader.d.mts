export function swiftShaderEnvironment(require: NodeRequire): Record<string, string> | null;
