// The password of the embedded Postgres: random, in <folder>/password with mode 0600. Only this process reads the file;
// the user that the server runs as cannot. A folder of an older version asked for no password: it gets one here.

import { randomBytes, randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, StartupError } from '../../common/startup-error.ts'
import type { Cluster } from './postgres-cluster.ts'
import { ownNameOf, runProgram } from './program.ts'

export const passwordFileOf = (folder: string): string => join(folder, 'password')

/** Undefined when there is no such file. */
export async function readPassword(folder: string): Promise<string | undefined> {
  const file = passwordFileOf(folder)
  let password: string
  try {
    password = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  // The password is used in SQL and in URLs.
  if (/^[0-9A-Za-z]{16,}$/.test(password)) return password
  throw new StartupError(`${file} holds no password of letters and digits: delete the file to get a new one.`)
}

/** Returns the password of the folder, and makes it when it is missing. Processes that start at once get the same one. */
export async function ensurePassword(folder: string): Promise<string> {
  const present = await readPassword(folder)
  if (present !== undefined) return present
  const password = randomBytes(24).toString('hex')
  const unfinished = join(folder, `.password.${randomUUID()}`)
  try {
    await writePrivately(unfinished, `${password}\n`)
    // `link` fails when another process has made the file first; `rename` would replace it.
    await link(unfinished, passwordFileOf(folder))
    return password
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return await ensurePassword(folder)
  } finally {
    await rm(unfinished, { force: true })
  }
}

/** `local all all trust` and the like; the method is the last word of such a line. */
const TRUST = /^([ \t]*(?:local|host\w*)[ \t][^#\r\n]*[ \t])trust([ \t]*(?:#.*)?)$/gm

/** True when the cluster accepts each connection to its socket, as clusters of older versions do. */
export async function asksForNoPassword(cluster: Cluster): Promise<boolean> {
  return (await accessRules(cluster)).search(TRUST) !== -1
}

/** For the next start of the server, or its next reload. */
export async function askForPassword(cluster: Cluster): Promise<void> {
  const rules = (await accessRules(cluster)).replaceAll(TRUST, '$1scram-sha-256$2')
  const unfinished = join(cluster.data, `pg_hba.conf.${randomUUID()}`)
  try {
    await writePrivately(unfinished, rules, cluster.user)
    await rename(unfinished, join(cluster.data, 'pg_hba.conf'))
  } finally {
    await rm(unfinished, { force: true })
  }
}

/**
 * Sets the password while no server runs, through Postgres' single-user mode, which asks for no password and opens no socket.
 * `busy`: another process works on the cluster just now. Rejects with StartupError.
 */
export async function setPassword({ binaries, data, user, password }: Cluster): Promise<'done' | 'busy'> {
  const args = ['--single', '-D', ownNameOf(data, user), '-c', 'log_min_messages=log', 'postgres']
  const stdin = `${setPasswordStatement(password)}\n`
  const { code, output } = await runProgram(binaries.postgres, args, { folder: data, user, stdin })
  const locked = output.includes('lock file ') && output.includes(' already exists')
  if (locked || output.includes('pre-existing shared memory block')) return 'busy'
  // Its exit code is 0 even when a statement has failed.
  const failure = /(?:ERROR|FATAL|PANIC): +(.*)/.exec(output)?.[1]
  if (code === 0 && failure === undefined) return 'done'
  throw new StartupError(`Postgres did not start: ${failure ?? output.trim().slice(0, 300)}`)
}

export const setPasswordStatement = (password: string): string =>
  `ALTER ROLE plugboard PASSWORD '${password}'`

async function accessRules({ data }: Cluster): Promise<string> {
  try {
    return await readFile(join(data, 'pg_hba.conf'), 'utf8')
  } catch (error) {
    // Postgres reports a missing file better than we could.
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** `owner`: the user that reads it. The name must be new, so that no link of another user is followed. */
async function writePrivately(file: string, text: string, owner?: Cluster['user']): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
