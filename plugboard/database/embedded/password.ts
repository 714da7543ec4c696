// The password of the embedded Postgres: random, in <folder>/password with mode 0600. Only this process can read the file; the
// user of the server cannot. A cluster of an older version required no password, and gets one here.

import { randomBytes, randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCodeOf, StartupError } from '../../common/startup-error.ts'
import type { PostgresCluster } from './postgres-cluster.ts'
import { ownNameOf, runProgram } from './program.ts'

export const passwordFileOf = (folder: string): string => join(folder, 'password')

/** Resolves with undefined when the file does not exist. */
export async function readPassword(folder: string): Promise<string | undefined> {
  const file = passwordFileOf(folder)
  let password: string
  try {
    password = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
  // The password is used in SQL and in URLs.
  if (/^[0-9A-Za-z]{16,}$/.test(password)) return password
  throw new StartupError(`${file} holds no password of letters and digits: delete the file to get a new one.`)
}

/** Returns the password of the folder, and creates it when it is missing. Processes that start together get the same one. */
export async function ensurePassword(folder: string): Promise<string> {
  const present = await readPassword(folder)
  if (present !== undefined) return present
  const password = randomBytes(24).toString('hex')
  const unfinished = join(folder, `.password.${randomUUID()}`)
  try {
    await writePrivately(unfinished, `${password}\n`)
    // `link` fails when another process has created the file first. `rename` would replace it.
    await link(unfinished, passwordFileOf(folder))
    return password
  } catch (error) {
    if (errorCodeOf(error) !== 'EEXIST') throw error
    return await ensurePassword(folder)
  } finally {
    await rm(unfinished, { force: true })
  }
}

/** `local all all trust` and the like; the method is the last word of such a line. */
const TRUST = /^([ \t]*(?:local|host\w*)[ \t][^#\r\n]*[ \t])trust([ \t]*(?:#.*)?)$/gm

/** True when the cluster accepts each connection to its socket, as clusters of older versions do. */
export async function asksForNoPassword(cluster: PostgresCluster): Promise<boolean> {
  return (await accessRules(cluster)).search(TRUST) !== -1
}

/** Makes the cluster require a password, from the next start or reload of the server on. */
export async function askForPassword(cluster: PostgresCluster): Promise<void> {
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
 * Sets the password while the server does not run, in Postgres' single-user mode, which needs no password and opens no socket.
 * `busy`: another process uses the cluster at this moment. Rejects with StartupError.
 */
export async function setPassword({
  binaries,
  data,
  user,
  password,
}: PostgresCluster): Promise<'done' | 'busy'> {
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

async function accessRules({ data }: PostgresCluster): Promise<string> {
  try {
    return await readFile(join(data, 'pg_hba.conf'), 'utf8')
  } catch (error) {
    // Postgres reports a missing file with more detail.
    if (errorCodeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** Writes a new file that only `owner` can read. The name must be new, so that a link of another user is not followed. */
async function writePrivately(file: string, text: string, owner?: PostgresCluster['user']): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
