// The protocol versions that this code supports, and the rule by which two ends agree on a version.

/** WebSocket subprotocol: names the frame layout. The hello messages select a version of this layout. */
export const SUBPROTOCOL = 'plugboard.v1'

/** Inclusive range. */
export const PROTOCOL_VERSIONS: readonly [number, number] = [1, 1]

/** Returns the highest version that both ranges contain, or undefined. */
export function agreeOnVersion(
  ours: readonly [number, number],
  theirs: readonly [number, number],
): number | undefined {
  const highest = Math.min(ours[1], theirs[1])
  return highest >= Math.max(ours[0], theirs[0]) ? highest : undefined
}
