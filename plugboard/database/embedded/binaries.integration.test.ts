import { chmod, cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { packagedFolder, provideBinaries } from './binaries.ts'

// The tests copy 60 MB several times.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const root = process.getuid?.() === 0
/**
 * As root: an unprivileged user, which cannot enter a folder of mode 0700. Otherwise: the user of this process, which cannot
 * write to a folder of mode 0500.
 */
const user = root ? { uid: 65534, gid: 65534 } : undefined
const cacheBefore = process.env.XDG_CACHE_HOME
let folder: string
let closed: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugboard-binaries-'))
  process.env.XDG_CACHE_HOME = join(folder, 'cache')
  closed = join(folder, 'native')
  await cp(packagedFolder(), closed, {
    recursive: true,
    filter: source => !/libicu.*\.so\.\d+$/.test(source),
  })
  // A separate tree, so that the copy is not the one of real servers.
  await writeFile(join(closed, 'share/marker'), String(process.pid))
  await chmod(join(closed, 'lib'), 0o500)
})
afterEach(() => chmod(folder, 0o700))
afterAll(async () => {
  if (cacheBefore === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = cacheBefore
  await chmod(join(closed, 'lib'), 0o700)
  await rm(folder, { recursive: true })
})

test('programs that the user cannot reach are copied once, and a damaged copy is replaced', async () => {
  const first = await provideBinaries(user, closed)
  const copy = dirname(dirname(first.postgres))
  try {
    expect(first.postgres.startsWith(closed)).toBe(false)
    expect(first.majorVersion).toBe('18')
    expect((await stat(copy)).mode & 0o777).toBe(0o755)
    const made = await stat(first.initdb)
    expect((await stat((await provideBinaries(user, closed)).initdb)).ino).toBe(made.ino)

    await writeFile(first.initdb, 'damaged')
    expect(await provideBinaries(user, closed)).toEqual(first)
    expect(await readFile(first.initdb)).toEqual(await readFile(join(closed, 'bin/initdb')))
  } finally {
    await rm(copy, { recursive: true })
  }
})

test('processes that copy at the same time do not disturb each other', async () => {
  const provided = await Promise.all(Array.from({ length: 3 }, () => provideBinaries(user, closed)))
  expect(new Set(provided.map(({ postgres }) => postgres)).size).toBe(1)
  await rm(dirname(dirname(provided[0]!.postgres)), { recursive: true })
})
