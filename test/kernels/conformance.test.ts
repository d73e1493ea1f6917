// Every op, on every instruction set this CPU can run, against the reference kernels: see test/support/conformance.ts.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { InstructionSet, OpInfo } from '../../src/binding.js';
import { readCaseTables } from '../support/case_file.js';
import { CaseCheck } from '../support/conformance.js';
import { raw } from '../support/raw.js';

const tables = readCaseTables();
const ops = raw.ops();
const device = raw.device();
const bodies = device.runnable.filter((isa) => isa !== 'reference');
for (const isa of device.compiled)
  if (!device.runnable.includes(isa)) console.log(`not tested: ${isa}, which this CPU does not have`);
console.log(`tested: ${bodies.join(', ')}`);

after(() => {
  raw.setIsa(device.isa);
  raw.setThreads(device.threads);
});

test('every op has cases, and every table an op', () => {
  assert.deepEqual([...tables.keys()].sort(), ops.map((op) => op.name).sort());
  for (const { op, cases } of tables.values()) {
    assert.ok(cases.length > 0, `${op} has no cases`);
    const names = cases.map(({ name }) => name);
    const again = names.filter((name, i) => names.indexOf(name) !== i);
    assert.deepEqual(again, [], `${op} has cases of one name`);
  }
});

/** What is wrong with an op, by instruction set. Case by case on all of them, since they share most of the work. */
function check(info: OpInfo): ReadonlyMap<InstructionSet, readonly string[]> {
  const table = tables.get(info.name);
  assert.ok(table, `kernels/*/*.cases.json has nothing for ${info.name}`);
  const found = new Map(bodies.map((isa) => [isa, [] as string[]]));
  for (const one of table.cases) {
    const check = new CaseCheck(info, one, one.bound ?? table.bound);
    for (const [isa, lines] of found) for (const line of check.on(isa)) lines.push(`'${one.name}' ${line}`);
  }
  return found;
}

for (const info of ops) {
  let checked: ReturnType<typeof check> | undefined;
  for (const isa of bodies) {
    test(`${info.name} on ${isa}`, () => {
      checked ??= check(info);
      const found = checked.get(isa) ?? [];
      assert.equal(found.length, 0, `\n${found.slice(0, 20).join('\n')}${found.length > 20 ? '\n...' : ''}`);
    });
  }
}
