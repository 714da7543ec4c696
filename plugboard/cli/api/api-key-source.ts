// Finds the API key for a command. The order is: the flag, the flag with a file, the variable, the variable with a file. For a
// Plugboard on this machine, the last place is the key file in its data folder.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import { secretFileProblem } from '@vera-stack/shared/process/secret-file.ts'
import { CliError } from '../cli-error.ts'

export interface KeyOptions {
  readonly apiKey?: string | undefined
  readonly apiKeyFile?: string | undefined
  /** Data folder of a local Plugboard. */
  readonly data?: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Returns the API key. Calls `warn` when other users can read or change the file of the key.
 * @throws CliError that names every way to give a key.
 */
export function findApiKey(
  url: string,
  options: KeyOptions,
  env: Environment,
  cwd: string,
  warn: (text: string) => void,
): string {
  const read = (file: string, from: string): string => {
    const key = readKey(resolve(cwd, file), from)
    warnOf(resolve(cwd, file), warn)
    return key
  }
  if (options.apiKey !== undefined) return options.apiKey.trim()
  if (options.apiKeyFile !== undefined) return read(options.apiKeyFile, '--api-key-file')
  if (env.PLUGBOARD_API_KEY) return env.PLUGBOARD_API_KEY.trim()
  if (env.PLUGBOARD_API_KEY_FILE) return read(env.PLUGBOARD_API_KEY_FILE, 'PLUGBOARD_API_KEY_FILE')
  const data = resolve(cwd, options.data ?? (env.PLUGBOARD_DATA || './data'))
  const file = join(data, 'secrets', 'admin.key')
  const local = isLoopback(url)
  if (local) {
    try {
      const key = readFileSync(file, 'utf8').trim()
      warnOf(file, warn)
      return key
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(file, error)
    }
  }
  // A key of this machine is never sent to another machine by default.
  const tried = local
    ? `. The file ${file} does not exist: ${ownCommand('plugboard')} key reset --data ${shellQuoted(data)} makes a new key`
    : ''
  throw new CliError(`no API key: give --api-key-file, or set PLUGBOARD_API_KEY${tried}`)
}

function warnOf(file: string, warn: (text: string) => void): void {
  const problem = secretFileProblem(file)
  if (problem !== undefined) warn(problem)
}

function readKey(file: string, from: string): string {
  try {
    const key = readFileSync(file, 'utf8').trim()
    if (key !== '') return key
  } catch (error) {
    throw unreadable(file, error, from)
  }
  throw new CliError(`${from}: ${file} is empty`)
}

function unreadable(file: string, error: unknown, from?: string): CliError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error)
  const where = from === undefined ? '' : `${from}: `
  return new CliError(`${where}the API key in ${file} cannot be read (${reason})`, { cause: error })
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
