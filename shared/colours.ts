// Whether output may have colours: one answer for logs and for the command lines.

/** NO_COLOR (no-color.org) wins over everything, then FORCE_COLOR, then whether it is a terminal. */
export function coloursWanted(
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0'
  return isTerminal && env.TERM !== 'dumb'
}
