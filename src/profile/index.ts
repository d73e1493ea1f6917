/** Profiles: what JavaScript and the device's threads did when. */
export { Profile, type ProfileOptions, type ProfileTable, profile } from './profile.js';
export type { ProfileRow } from './table.js';
export type { Trace, TraceEvent } from './trace.js';
