// The files of the embedded Postgres: <folder>/cluster with its data, and its log <folder>/postgres.log. This file creates the
// cluster once; a failed creation leaves no cluster. embedded-postgres.ts starts and stops the server.

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
import { errorCodeOf, folderError, StartupError } from '../../common/startup-error.ts'
import { isAlive } from '../connection/is-alive.ts'
import type { Binaries } from './binaries.ts'
import { ownNameOf, runProgram } from './program.ts'
import type { ServerUser } from './user.ts'

export interface PostgresCluster {
  /** Absolute. */
  readonly folder: string
  readonly data: string
  readonly log: string
  readonly user: ServerUser | undefined
  readonly binaries: Binaries
  /** The password of the role `plugboard`. */
  readonly password: string
  /** False for a temporary cluster, whose files are not synced to the disk. */
  readonly durable: boolean
}

/** Creates the folder and its cluster when they are missing. Rejects with StartupError for a problem that a person must fix. */
export async function prepareCluster(cluster: PostgresCluster): Promise<void> {
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

/** Checks that the folder is writable. The check leaves no file in the folder. */
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

async function dataVersion({ data }: PostgresCluster): Promise<string | undefined> {
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const FRESH = /^cluster\.new-(\d+)$/

/** Removes the incomplete clusters of killed starts. */
async function removeLeftovers({ folder }: PostgresCluster): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = FRESH.exec(name)?.[1]
    if (pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid))) {
      await rm(join(folder, name), { recursive: true, force: true })
    }
  }
}

async function initialize(cluster: PostgresCluster): Promise<void> {
  const { folder, user, binaries, data } = cluster
  const fresh = join(folder, `cluster.new-${process.pid}`)
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  try {
    if (user !== undefined) await chown(fresh, user.uid, user.gid)
    // The built-in locale is independent of the operating system, whose updates can invalidate indexes.
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
    // Another process was first. Its cluster is used.
    if (
      ['ENOTEMPTY', 'EEXIST'].includes(errorCodeOf(error) ?? '') &&
      (await dataVersion(cluster)) !== undefined
    )
      return
    throw error
  }
}

/** Returns a file without a name, readable by the server's user, from which initdb reads the password. */
async function passwordFor({ folder, user, password }: PostgresCluster): Promise<FileHandle> {
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

/** As root: gives a data folder that root has copied or restored back to the user of the server. */
async function giveToUser({ data, user, folder }: PostgresCluster): Promise<void> {
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

/** Returns the pid of the postmaster in the lock file of the cluster, if it is alive and works in this cluster. */
export async function livingPostmaster({ data }: Pick<PostgresCluster, 'data'>): Promise<number | undefined> {
  let pid: number
  try {
    pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return undefined
  // After a reboot, or in a new container, the pid may belong to any process.
  return (await worksIn(pid, data)) ? pid : undefined
}

/** True when the postmaster has received SIGTERM: it rejects new clients and waits for the present ones. */
export async function isStopping({ data }: PostgresCluster): Promise<boolean> {
  try {
    return (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[7]?.trim() === 'stopping'
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function worksIn(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux') {
    try {
      return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(data))
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes(errorCodeOf(error) ?? '')) return false
      // The process belongs to another user, or this root may not inspect it. So the name of the program must suffice.
      return /^postgres/.test(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
    }
  }
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'comm=', '-p', String(pid)])
    return stdout.includes('postgres')
  } catch {
    return false // ps exits with 1 when the process does not exist
  }
}

/**
 * Removes the lock of a dead server, whose pid belongs to another process now, so that Postgres can start. The lock is
 * renamed before it is checked, and renamed back when a concurrent start has just created it.
 */
export async function removeStaleLock(cluster: PostgresCluster): Promise<void> {
  if ((await livingPostmaster(cluster)) !== undefined) return
  for (const name of ['postmaster.pid', '.s.PGSQL.5432.lock']) {
    const lock = join(cluster.data, name)
    const aside = `${lock}.stale-${process.pid}`
    try {
      await rename(lock, aside)
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') continue
      throw error
    }
    // The number of a process in single-user mode is written with a minus sign.
    const pid = Math.abs(Number((await readFile(aside, 'utf8')).split('\n')[0]))
    if (isAlive(pid) && (await worksIn(pid, cluster.data))) await rename(aside, lock)
    else await rm(aside)
  }
}
