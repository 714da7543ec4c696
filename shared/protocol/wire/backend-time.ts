// The time of the backend in a HEAD frame (PROTOCOL.md, "Timing").

/** Feature in our hello: a HEAD to this end may state the time of the backend (P39). */
export const TIMING_FEATURE = 'timing'

const MAX_US = 0xffff_ffff

/** Returns a duration in the form of the frame: whole microseconds that fit in 4 bytes. */
export function backendUsOf(durationMs: number): number {
  return Math.min(MAX_US, Math.max(0, Math.round(durationMs * 1000)))
}
