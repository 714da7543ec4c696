// Chooses the user of the embedded Postgres. Postgres refuses to run as root, so root starts it as another user: the owner of
// the data folder (or of its parent), else a dedicated account if one exists, else `nobody`. All other users start it under
// their own account.

import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCodeOf, StartupError } from '../../common/startup-error.ts'

/** Accounts that exist for this purpose, the first one first. Processes of other services do not run under them. */
const DEDICATED = ['plugboard', 'postgres']

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

/** Returns the user for Postgres; undefined: the present user. `folder` must exist, `cluster` may be missing. */
export async function chooseServerUser(folder: string, cluster: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const existing = await ownerOf(cluster)
  if (existing !== undefined && existing.uid !== 0) return existing
  const accounts = await readAccounts()
  const owner = (await ownerOf(folder)) ?? (await ownerOf(dirname(folder)))
  // initdb looks up its own user, so an owner without an account (on a volume of a container, for example) cannot run it.
  if (owner !== undefined && owner.uid !== 0 && (accounts.has(owner.uid) || process.platform === 'darwin')) {
    return owner
  }
  const parent = await ownerOf(dirname(folder))
  if (owner?.uid === 0 && parent !== undefined && parent.uid !== 0 && accounts.has(parent.uid)) return parent
  for (const name of [...DEDICATED, 'nobody']) {
    for (const account of accounts.values()) if (account.name === name && account.uid !== 0) return account
  }
  throw new StartupError(
    'Postgres does not run as root, and this system has no user "plugboard", "postgres" or "nobody": start as another user or set DATABASE_URL.',
  )
}

/** True for the account that services without one of their own share. */
export async function isShared(user: ServerUser): Promise<boolean> {
  return (await readAccounts()).get(user.uid)?.name === 'nobody'
}

async function ownerOf(path: string): Promise<ServerUser | undefined> {
  try {
    const { uid, gid } = await stat(path)
    return { uid, gid }
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function readAccounts(): Promise<Map<number, ServerUser & { readonly name: string }>> {
  const accounts = new Map<number, ServerUser & { readonly name: string }>()
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name === undefined || uid === undefined || gid === undefined || name.startsWith('#')) continue
    accounts.set(Number(uid), { name, uid: Number(uid), gid: Number(gid) })
  }
  return accounts
}
