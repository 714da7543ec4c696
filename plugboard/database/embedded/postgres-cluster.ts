// The files of the embedded Postgres: <folder>/cluster is its data, <folder>/postgres.log what it says. Made
// here, once and completely or not at all; started and stopped elsewhere (embedded-postgres.ts).

import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chown,
  type FileHandle,
  lchown,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
} from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from '../../common/make-folder.ts'
import { codeOf, folderError, StartupError } from '../../common/startup-error.ts'
import { isAlive } from '../is-alive.ts'
import type { Binaries } from './binaries.ts'
import { ownNameOf, runProgram } from './program.ts'
import type { ServerUser } from './user.ts'

export interface Cluster {
  /** Absolute. */
  readonly folder: string
  readonly data: string
  readonly log: string
  readonly user: ServerUser | undefined
  readonly binaries: Binaries
  /** Of the role `plugboard`. */
  readonly password: string
  /** False: a throw-away cluster, not even synced when it is made. */
  readonly durable: boolean
}

/** Makes the folder and the cluster in it where there is none. Throws StartupError for what a person must fix. */
export async function prepareCluster(cluster: Cluster): Promise<void> {
  try {
    await removeLeftovers(cluster)
    if ((await dataVersion(cluster)) === undefined) await initialize(cluster)
    await giveToUser(cluster)
  } catch (error) {
    throw folderError(cluster.folder, error)
  }
  const version = await dataVersion(cluster)
  if (version !== cluster.binaries.majorVersion) {
    throw new StartupError(
      `${cluster.data} was written by Postgres ${version}, and this is Postgres ${cluster.binaries.majorVersion}: ` +
        'dump it with the old version and restore it with the new one.',
    )
  }
}

/** Proves that we may write there, in one step that leaves nothing behind. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder, 0o700)
    const probe = join(folder, `.probe-${process.pid}`)
    await (await open(probe, 'w', 0o600)).close()
    await rm(probe)
  } catch (error) {
    throw folderError(folder, error)
  }
}

async function dataVersion({ data }: Cluster): Promise<string | undefined> {
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const FRESH = /^cluster\.new-(\d+)$/

/** Half-made clusters of starts that were killed. */
async function removeLeftovers({ folder }: Cluster): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = FRESH.exec(name)?.[1]
    if (pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid))) {
      await rm(join(folder, name), { recursive: true, force: true })
    }
  }
}

async function initialize(cluster: Cluster): Promise<void> {
  const { folder, user, binaries, data } = cluster
  const fresh = join(folder, `cluster.new-${process.pid}`)
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  try {
    if (user !== undefined) await chown(fresh, user.uid, user.gid)
    // The built-in locale does not change with the operating system's, as indexes of others do.
    const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '--encoding=UTF8']
    const access = [
      '--username=plugboard',
      '--auth=scram-sha-256',
      '--pwfile=/dev/stdin',
      '--no-instructions',
    ]
    const sync = cluster.durable ? [] : ['--no-sync']
    const args = [`--pgdata=${ownNameOf(fresh, user)}`, ...locale, ...access, ...sync]
    const password = await passwordFor(cluster)
    try {
      const { code, output } = await runProgram(binaries.initdb, args, {
        folder: fresh,
        user,
        stdin: password.fd,
      })
      if (code !== 0) throw initializeError(folder, output)
    } finally {
      await password.close()
    }
    await rename(fresh, data)
    const parent = await open(folder, 'r')
    await parent.sync().finally(() => parent.close())
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    // Another process was faster: its cluster is as good as ours.
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '') && (await dataVersion(cluster)) !== undefined)
      return
    throw error
  }
}

/** Returns a file without a name, readable by the server's user, from which initdb reads the password. */
async function passwordFor({ folder, user, password }: Cluster): Promise<FileHandle> {
  const path = join(folder, `.password.${randomUUID()}`)
  const writing = await open(path, 'wx', 0o600)
  try {
    await writing.writeFile(`${password}\n`)
    if (user !== undefined) await writing.chown(user.uid, user.gid)
    return await open(path, 'r')
  } finally {
    await rm(path, { force: true })
    await writing.close()
  }
}

function initializeError(folder: string, output: string): StartupError {
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    return new StartupError(`The disk that holds ${folder} is full.`)
  }
  if (/Permission denied/.test(output)) {
    return new StartupError(
      `Postgres may not enter ${folder}: choose a data folder that other users can reach.`,
    )
  }
  const line = output.split('\n').find(text => /error|fatal/i.test(text))
  return new StartupError(`Postgres could not set up ${folder}: ${line ?? output.trim()}`)
}

/** As root, a data folder that was copied or restored by root changes hands again. */
async function giveToUser({ data, user, folder }: Cluster): Promise<void> {
  const handle = await open(data, 'r')
  const { uid } = await handle.stat().finally(() => handle.close())
  const wanted = user?.uid ?? process.getuid?.()
  if (uid === wanted) return
  if (user === undefined) throw new StartupError(`The data folder ${folder} belongs to another user.`)
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    await lchown(join(entry.parentPath, entry.name), user.uid, user.gid)
  }
  await chown(data, user.uid, user.gid)
}

/** The postmaster that the cluster's lock file names, if it is alive and this cluster's. */
export async function livingPostmaster({ data }: Pick<Cluster, 'data'>): Promise<number | undefined> {
  let pid: number
  try {
    pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return undefined
  // After a reboot (or in a new container) that number may be anybody's.
  return (await worksIn(pid, data)) ? pid : undefined
}

/** Its postmaster was told to stop: it takes nobody new, and waits (SIGTERM) for those it has. */
export async function isStopping({ data }: Cluster): Promise<boolean> {
  try {
    return (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[7]?.trim() === 'stopping'
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function worksIn(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux') {
    try {
      return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(data))
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes(codeOf(error) ?? '')) return false
      // Its owner is not us, or we are a root that may not look: the name of the program has to do.
      return /^postgres/.test(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
    }
  }
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'comm=', '-p', String(pid)])
    return stdout.includes('postgres')
  } catch {
    return false // ps exits with 1 when there is no such process
  }
}

/**
 * For when Postgres refuses to start because the number in a dead server's lock belongs to some process again.
 * The lock moves aside before it is judged, so that one which a racing start has just made is put back.
 */
export async function removeStaleLock(cluster: Cluster): Promise<void> {
  if ((await livingPostmaster(cluster)) !== undefined) return
  for (const name of ['postmaster.pid', '.s.PGSQL.5432.lock']) {
    const lock = join(cluster.data, name)
    const aside = `${lock}.stale-${process.pid}`
    try {
      await rename(lock, aside)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') continue
      throw error
    }
    // The number of a process in single-user mode is written with a minus sign.
    const pid = Math.abs(Number((await readFile(aside, 'utf8')).split('\n')[0]))
    if (isAlive(pid) && (await worksIn(pid, cluster.data))) await rename(aside, lock)
    else await rm(aside)
  }
}
