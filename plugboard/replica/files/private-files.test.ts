import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LogFields, silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closePrivateFiles } from './private-files.ts'

let data: string
let warned: (readonly [string, LogFields | undefined])[]
const log = {
  ...silentLogger,
  warn: (message: string, fields?: LogFields) => void warned.push([message, fields]),
}
const modeOf = async (path: string) => (await stat(join(data, path))).mode & 0o777

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'plugboard-private-'))
  warned = []
})
afterEach(() => rm(data, { recursive: true }))

test('removes the access of other users, and reports each file once', async () => {
  await mkdir(join(data, 'secrets'))
  await mkdir(join(data, 'postgres'))
  for (const file of ['secrets/admin.key', 'secrets/telephone.jwt', 'snapshot.json', 'postgres/password']) {
    await writeFile(join(data, file), 'x')
    await chmod(join(data, file), 0o644)
  }
  await chmod(join(data, 'secrets'), 0o755)
  await closePrivateFiles(data, log)
  expect(await modeOf('secrets')).toBe(0o700)
  for (const file of ['secrets/admin.key', 'secrets/telephone.jwt', 'snapshot.json', 'postgres/password']) {
    expect(await modeOf(file)).toBe(0o600)
    expect(warned).toContainEqual([
      'a private file was open to other users of this machine',
      expect.objectContaining({ file: join(data, file) }),
    ])
  }
  expect(warned).toHaveLength(5)
  warned = []
  await closePrivateFiles(data, log)
  expect(warned).toEqual([])
})

test('closes the folder of the embedded database, in which Postgres would not start otherwise', async () => {
  await mkdir(join(data, 'postgres/cluster'), { recursive: true })
  await chmod(join(data, 'postgres/cluster'), 0o755)
  await closePrivateFiles(data, log)
  expect(await modeOf('postgres/cluster')).toBe(0o700)
  expect(warned).toHaveLength(1)
})

test('leaves files that the owner and the group can use, and a data folder that is empty', async () => {
  await closePrivateFiles(data, log)
  await closePrivateFiles(join(data, 'missing'), log)
  await writeFile(join(data, 'snapshot.json'), 'x')
  await chmod(join(data, 'snapshot.json'), 0o660)
  await closePrivateFiles(data, log)
  expect(await modeOf('snapshot.json')).toBe(0o660)
  expect(warned).toEqual([])
})

test('reports a data folder that others can write to, and leaves its mode', async () => {
  await chmod(data, 0o777)
  await closePrivateFiles(data, log)
  expect(await modeOf('.')).toBe(0o777)
  expect(warned).toMatchObject([['other users of this machine can change the data folder', { file: data }]])
})

test('changes no file behind a link, and reports that it is open', async () => {
  await mkdir(join(data, 'secrets'), { mode: 0o700 })
  await writeFile(join(data, 'elsewhere'), 'x')
  await chmod(join(data, 'elsewhere'), 0o644)
  await symlink('../elsewhere', join(data, 'secrets/admin.key'))
  await closePrivateFiles(data, log)
  expect(await modeOf('elsewhere')).toBe(0o644)
  expect(warned).toMatchObject([
    ['a private file is open to other users of this machine', { file: join(data, 'secrets/admin.key') }],
  ])
})
