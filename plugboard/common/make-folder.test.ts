import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { makeFolder } from './make-folder.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true })
})

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'make-folder-'))
  made.push(folder)
  return folder
}

it('creates each missing folder once, also when several calls run at the same time', async () => {
  const path = join(await temporary(), 'a', 'b', 'c')
  await Promise.all([makeFolder(path, 0o700), makeFolder(path, 0o700), makeFolder(path, 0o700)])
  await makeFolder(path, 0o700)
  expect((await stat(path)).mode & 0o777).toBe(0o700)
})

it('rejects when a file has the path of a folder', async () => {
  const folder = await temporary()
  await writeFile(join(folder, 'file'), '')
  await expect(makeFolder(join(folder, 'file'), 0o700)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(folder, 'file', 'a'), 0o700)).rejects.toMatchObject({ code: 'ENOTDIR' })
})

it.runIf(process.platform === 'linux')(
  'a file system without folders of ours is an error, not a loop',
  async () => {
    await expect(makeFolder('/proc/vera-stack/data', 0o700)).rejects.toMatchObject({ code: 'ENOENT' })
  },
)
