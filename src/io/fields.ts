// Fields of JSON that was read, held to their kinds.
import { AnnealError } from '../errors.js';
import type { JsonValue } from './json.js';

export type JsonObject = { readonly [key: string]: JsonValue };

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface FieldTypes {
  number: number;
  string: string;
  boolean: boolean;
  /** An object, or null. */
  object: JsonObject | null;
  array: readonly JsonValue[];
}

function hasKind(value: JsonValue | undefined, kind: keyof FieldTypes): boolean {
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'object') return value === null || isJsonObject(value);
  return typeof value === kind;
}

/** Fields of a JSON object by their kinds; others are left out. @throws E_FORMAT naming the one that is missing or another */
export function fieldsOf<K extends Readonly<Record<string, keyof FieldTypes>>>(
  who: string,
  json: JsonValue,
  kinds: K,
): { [N in keyof K]: FieldTypes[K[N]] } {
  const object = isJsonObject(json) ? json : {};
  const found: Record<string, JsonValue> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    if (value === undefined || !hasKind(value, kind)) {
      throw new AnnealError(
        'E_FORMAT',
        `${who}: expected JSON with ${name} (${kind}), received ${JSON.stringify(value) ?? 'none'}`,
      );
    }
    found[name] = value;
  }
  return found as { [N in keyof K]: FieldTypes[K[N]] };
}
