// What the Node.js programs of this folder share: the protocol's two ends (README.md).

export function emit(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

/** Ends the program: there is no such peer on this machine, and why. */
export function missing(reason) {
  emit({ missing: reason });
  process.exit(0);
}

export async function readRequest() {
  let text = '';
  for await (const piece of process.stdin) text += piece;
  return JSON.parse(text);
}
