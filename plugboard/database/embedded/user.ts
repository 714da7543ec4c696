// Postgres refuses to run as root, so as root it runs under another user: the owner of the data folder (or of the
// folder it will be made in), else a dedicated account where there is one, else `nobody`. Every other user runs it under
// their own account.

import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, StartupError } from '../../common/startup-error.ts'

/** Accounts that exist for this purpose, the first one first. Processes of other services do not run under them. */
const DEDICATED = ['plugboard', 'postgres']

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

/** The user to run Postgres as; undefined: as ourselves. `cluster` may be missing, `folder` may not. */
export async function chooseServerUser(folder: string, cluster: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const existing = await ownerOf(cluster)
  if (existing !== undefined && existing.uid !== 0) return existing
  const accounts = await readAccounts()
  const owner = (await ownerOf(folder)) ?? (await ownerOf(dirname(folder)))
  // initdb looks its own user up, so an owner that is a bare number (of a container's volume, say) will not do.
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
    if (codeOf(error) === 'ENOENT') return undefined
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
