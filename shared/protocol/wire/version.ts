// Which protocol versions this code speaks, and the rule by which two ends agree on one.

/** WebSocket subprotocol: names the frame layout. Versions within it are agreed by hello. */
export const SUBPROTOCOL = 'plugboard.v1'

/** Inclusive range. */
export const PROTOCOL_VERSIONS: readonly [number, number] = [1, 1]

/** The highest version both ranges hold, or undefined. */
export function agreeOnVersion(
  ours: readonly [number, number],
  theirs: readonly [number, number],
): number | undefined {
  const highest = Math.min(ours[1], theirs[1])
  return highest >= Math.max(ours[0], theirs[0]) ? highest : undefined
}
