// Every parameter struct of the TypeScript layer has exactly the fields, offsets, types and size of the addon's.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { opNames } from '../../src/backend/backend.js';
import type { ParamStruct } from '../../src/backend/params.js';
import { encodeParams, raw } from '../support/raw.js';

function isParamStruct(value: unknown): value is ParamStruct {
  return typeof value === 'object' && value !== null && 'op' in value && 'fields' in value && 'encode' in value;
}

/** Everything exported by the modules under src/ that looks like a parameter struct. */
async function paramStructs(): Promise<Map<string, ParamStruct[]>> {
  const found = new Map<string, ParamStruct[]>();
  const seen = new Set<unknown>();
  for (const room of ['ops', 'optim']) {
    const root = fileURLToPath(new URL(`../../src/${room}/`, import.meta.url));
    for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts')) continue;
      const exported: Record<string, unknown> = await import(pathToFileURL(join(root, path)).href);
      for (const value of Object.values(exported)) {
        if (!isParamStruct(value) || seen.has(value)) continue;
        seen.add(value);
        found.set(value.op, [...(found.get(value.op) ?? []), value]);
      }
    }
  }
  return found;
}

const structs = await paramStructs();
const ops = raw.ops();

test('the op names are those of the addon, in its order', () => {
  assert.deepEqual(
    [...opNames],
    ops.map((op) => op.name),
  );
});

for (const info of ops) {
  test(`${info.name}: the struct is the addon's`, () => {
    const mine = structs.get(info.name) ?? [];
    assert.equal(mine.length, 1, `expected one exported parameter struct, found ${mine.length}`);
    const [struct] = mine;
    assert.ok(struct);
    assert.deepEqual(struct.fields, info.fields);
    assert.equal(struct.bytes, info.paramBytes);
  });

  test(`${info.name}: the codec writes each field where the addon reads it`, () => {
    const [struct] = structs.get(info.name) ?? [];
    assert.ok(struct, 'no struct');
    const values: Record<string, number[]> = {};
    info.fields.forEach((field, i) => {
      const first = { f32: 0.5 - i, i32: -1 - i, u32: 2 ** 31 + i }[field.type];
      values[field.name] = Array.from({ length: field.count }, (_, j) => first + j);
    });
    assert.deepEqual(Buffer.from(struct.encode(values)), Buffer.from(encodeParams(info, values)));
    // What is not named is 0, also after a call that set it.
    assert.deepEqual(Buffer.from(struct.encode({})), Buffer.alloc(info.paramBytes));
  });
}
