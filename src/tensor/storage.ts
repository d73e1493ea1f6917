// Device memory shared by a tensor and its views, freed when the last of them lets go.
import type { Backend, Handle } from '../backend/backend.js';
import { recording } from './recorder.js';

export class Storage {
  readonly backend: Backend;
  readonly handle: Handle;
  readonly bytes: number;
  /** Counts in-place writes, so that backward can tell whether a value it needs has changed since. */
  version = 0;
  #references = 1;

  constructor(backend: Backend, bytes: number) {
    this.backend = backend;
    this.handle = backend.alloc(bytes);
    this.bytes = bytes;
    recording.by?.allocated(this);
  }

  /** Whether more than one tensor views it. */
  get shared(): boolean {
    return this.#references > 1;
  }

  /** Whether somebody still holds it. */
  get live(): boolean {
    return this.#references > 0;
  }

  retain(): this {
    this.#references++;
    return this;
  }

  /** `collected`: by the garbage collector's finalizer. */
  release(collected = false): void {
    if (--this.#references === 0) this.backend.free(this.handle, collected);
  }
}
