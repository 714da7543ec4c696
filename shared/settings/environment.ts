// Reads settings from environment variables: PLUGBOARD_DRAIN_TIMEOUT for `drainTimeout`, and for secrets also
// PLUGBOARD_DATABASE_URL_FILE, the name of a file that holds the value (how container platforms pass secrets).

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { secretFileProblem } from '../process/secret-file.ts'
import { nameOf, type Row, type SettingsTable, variableOf } from './row.ts'
import type { Reading, SettingCandidate, SettingProblem } from './source.ts'
import { didYouMean } from './suggest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface EnvironmentOptions {
  /** Such as `PLUGBOARD_`. An unknown variable with this prefix is reported as a problem. */
  readonly prefix: string
  readonly env: Environment
  readonly cwd: string
  /** Variables with the prefix that are not settings, such as `PLUGBOARD_API_KEY` of the command line. */
  readonly otherVariables?: readonly string[]
}

// Kubernetes sets these variables for every Service of the namespace: a Service called "plugboard" yields
// PLUGBOARD_PORT=tcp://10.0.0.7:4000 in each pod. They are not settings, although they have our prefix.
const SERVICE_LINK = /^(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PORT|PROTO|ADDR))?)$/
const isServiceLink = (suffix: string, value: string): boolean =>
  SERVICE_LINK.test(suffix) || (suffix === 'PORT' && /^(tcp|udp|sctp):\/\//.test(value))

/** Reads the settings from variables. An empty variable counts as absent, because compose files write `${X:-}`. */
export function readEnvironment(table: SettingsTable, options: EnvironmentOptions): Reading {
  const { prefix, env, cwd, otherVariables = [] } = options
  const known = new Map<string, { key: string; row: Row<unknown>; file: boolean }>()
  for (const [key, row] of Object.entries(table)) {
    if (row.schema !== undefined) continue
    for (const variable of [variableOf(prefix, nameOf(key, row)), ...row.variables]) {
      known.set(variable, { key, row, file: false })
      if (row.secret) known.set(`${variable}_FILE`, { key, row, file: true })
    }
  }
  const candidates: SettingCandidate[] = []
  const problems: SettingProblem[] = []
  const warnings: SettingProblem[] = []
  const setBy = new Map<string, string>()
  // In the order of the table, so that our own name wins over an alias, and the result does not depend on the shell.
  for (const [variable, { key, file }] of known) {
    const value = env[variable]
    if (value === undefined || value === '' || isServiceLink(variable.slice(prefix.length), value)) continue
    const label = `variable ${variable}`
    const twin = setBy.get(key)
    if (twin !== undefined) {
      if (file || twin.endsWith('_FILE')) {
        problems.push({ source: label, detail: `${twin} sets the same thing; keep one of the two` })
      }
      continue
    }
    setBy.set(key, variable)
    const raw = file ? readSecret(resolve(cwd, value), label, problems) : value
    const exposed = file && raw !== undefined ? secretFileProblem(resolve(cwd, value)) : undefined
    if (exposed !== undefined) warnings.push({ source: label, detail: exposed })
    if (raw !== undefined) candidates.push({ key, raw, source: { kind: 'variable', label }, folder: cwd })
  }
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || known.has(variable) || otherVariables.includes(variable)) continue
    if (value === undefined || isServiceLink(variable.slice(prefix.length), value)) continue
    const hint = didYouMean(variable, [...known.keys(), ...otherVariables])
    problems.push({ source: `variable ${variable}`, detail: `there is no such setting${hint}` })
  }
  return { candidates, problems, warnings }
}

/** Returns the text of the file without the newline that editors and `kubectl create secret` add at its end. */
function readSecret(path: string, source: string, problems: SettingProblem[]): string | undefined {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    problems.push({ source, detail: `the file ${path} cannot be read (${reason})` })
    return undefined
  }
}
