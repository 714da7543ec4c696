// Decides whether output has colours, for logs and command lines alike.

/** True when the output has colours. NO_COLOR (no-color.org) comes first, then FORCE_COLOR, then `isTerminal`. */
export function coloursWanted(
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0'
  return isTerminal && env.TERM !== 'dumb'
}
