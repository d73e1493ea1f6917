import type { JsonValue } from '../io/json.js';

/** A value as JSON: schedules through their toJSON, patterns and functions as text, undefined left out. */
export function plain(value: unknown): JsonValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  if (value instanceof RegExp || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(value.toJSON());
  const result: Record<string, JsonValue> = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) result[key] = plain(item);
  return result;
}
