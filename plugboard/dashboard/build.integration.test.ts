// `--when-stale` of the build: it builds again when a file that the dashboard has used is newer, also a file of another folder.

import { execFile } from 'node:child_process'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeFolder, temporaryFolder } from '../../test/support/process/folder.ts'

let folder: string
let out: string
const build = () =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, 'build.ts'), '--when-stale', '--out', out])
/** Returns a value that changes with each build. */
const lastBuild = async () => (await stat(out)).ino

beforeAll(async () => {
  folder = await temporaryFolder()
  out = join(folder, 'dist')
  await build()
}, 60_000)
afterAll(() => removeFolder(folder))

test('knows the files of other folders that the dashboard uses', async () => {
  const sources = JSON.parse(await readFile(join(out, 'sources.json'), 'utf8'))
  expect(sources).toContain('plugboard/observe/traffic/traffic-point.ts')
  expect(sources).toContain('plugboard/dashboard/src/main.tsx')
})

test('builds again only when a used file is newer or was deleted', async () => {
  const first = await lastBuild()
  await build()
  expect(await lastBuild()).toBe(first)
  const used = join(folder, 'used.ts')
  await writeFile(used, '')
  await utimes(used, new Date(), new Date(Date.now() + 60_000))
  const list = join(out, 'sources.json')
  // A path from the root of the repository, as in the list of the build.
  await writeFile(list, JSON.stringify([`${'../'.repeat(20)}${used.slice(1)}`]))
  await build()
  const second = await lastBuild()
  expect(second).not.toBe(first)
  await writeFile(list, '["plugboard/none.ts"]')
  await build()
  expect(await lastBuild()).not.toBe(second)
}, 60_000)
