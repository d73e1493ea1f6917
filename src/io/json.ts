/** JSON that keeps every double: NaN, the infinities and -0 travel as { "$number": "NaN" } and come back as they were. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

const tag = '$number';
const special: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** `JSON.stringify` with the tags above. Takes objects too whose type is an interface; functions and undefined vanish. */
export function stringifyJson(value: unknown, space?: number): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) => {
      if (typeof item !== 'number') return item;
      if (Object.is(item, -0)) return { [tag]: '-0' };
      return Number.isFinite(item) ? item : { [tag]: String(item) };
    },
    space,
  );
}

/** Undoes `stringifyJson`. @throws SyntaxError. */
export function parseJson(text: string): JsonValue {
  if (!text.includes(tag)) return JSON.parse(text); // several times as fast
  return JSON.parse(text, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || !(tag in item) || typeof item[tag] !== 'string') return item;
    return special.get(item[tag]) ?? item;
  });
}
