// What the scripts share: running programs, finding them, and one form of progress line. Node built-ins only, so that
// everything here works before `npm ci`.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as osConstants, setPriority } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** An error whose message is meant for the user as it is: printed without a stack. */
export class Failure extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function log(message) {
  process.stderr.write(`[anneal] ${message}\n`);
}

/** `1.2 s` since `start` (a performance.now() value, ms). */
export function since(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

/** The exit status a shell would report: 128 + the signal's number when a signal ended the child. */
export function exitStatus(code, signal) {
  return signal ? 128 + (osConstants.signals[signal] ?? 0) : (code ?? 1);
}

/**
 * Runs a program with our terminal; resolves to its exit status. Signals sent to us alone are passed on to it.
 * `idle`: it and what it starts get only the processor time that is left over.
 */
export function run(command, args, { onStdout, idle = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = onStdout ? ['inherit', 'pipe', 'inherit'] : 'inherit';
    // A low priority alone still holds a core for milliseconds at a time, for which threads of the others wait.
    const idleClass = idle && output('chrt', ['--idle', '0', 'true']) !== null;
    const [program, ...first] = idleClass ? ['chrt', '--idle', '0', command] : [command];
    const child = spawn(program, [...first, ...args], { cwd: root, stdio, ...options });
    if (idle && !idleClass && child.pid !== undefined) setPriority(child.pid, osConstants.priority.PRIORITY_LOW);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    // A terminal's Ctrl-C reaches the child by itself. Waiting for the child instead of dying at once is what lets it
    // write its last checkpoint and choose the exit status; a signal sent by kill(1) to us has to be handed on.
    const forward = (signal) => {
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal);
    };
    for (const signal of signals) process.on(signal, forward);
    const done = () => {
      for (const signal of signals) process.off(signal, forward);
    };
    if (onStdout) {
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', onStdout);
    }
    child.on('error', (error) => {
      done();
      reject(new Failure(`cannot run ${command}: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      done();
      resolve(exitStatus(code, signal));
    });
  });
}

/** Runs a program quietly; its standard output, or null when it is missing or fails. */
export function output(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** The full path of a program on PATH, or null. */
export function which(name) {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (!dir) continue;
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {}
  }
  return null;
}

/** npm as a [program, ...first arguments] pair: the npm that started us, else the one on PATH. */
export function npm() {
  const script = process.env.npm_execpath;
  return script?.endsWith('.js') ? [process.execPath, script] : ['npm'];
}

/** Runs a script's main function: a Failure becomes one line and its exit code. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    log(error.message);
    process.exitCode = error.exitCode;
  }
}
