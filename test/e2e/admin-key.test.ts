// The life of the admin key of a Plugboard: it is created once for a database, never again by a restart or a file, and replaced
// through the database when it is lost.

import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createApiKey } from '../../plugboard/admin/access/api-key-format.ts'
import { send } from '../support/http/http-client.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { useProcesses } from '../support/process/use-processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'

let folder: string
let database: TestDatabase | undefined
// The children end before the folder and the database are removed.
afterEach(async () => {
  await database?.drop()
  database = undefined
  expect(await removeFolder(folder)).toEqual([])
})
const processes = useProcesses()
beforeEach(async () => {
  folder = await temporaryFolder()
})

const keyFile = () => join(folder, 'data/secrets/admin.key')
const start = () =>
  PlugboardProcess.start({ processes, folder, ...(database && { databaseUrl: database.url }) })
const statusWith = async (plugboard: PlugboardProcess, key: string) => {
  const headers = { authorization: `Bearer ${key.trim()}` }
  return (await send({ port: plugboard.adminPort, path: '/v1/keys', headers })).status
}
const keyReset = async (plugboard: PlugboardProcess, ...args: string[]) => {
  const where = database === undefined ? [] : ['--database-url', database.url]
  return await plugboard.run('key', 'reset', '--data', join(folder, 'data'), ...where, ...args)
}

it('is not created again by a restart after it was revoked, but only by "key reset"', async () => {
  database = await createTestDatabase()
  let plugboard = await start()
  const first = await plugboard.adminKey()
  const { items } = await plugboard.call<{ items: { id: string }[] }>('GET', '/v1/keys')
  expect(items).toHaveLength(1)
  const revoked = await plugboard.api('POST', `/v1/keys/${items[0]!.id}/revoke?force=true`)
  expect(revoked.status, revoked.text).toBe(200)
  await plugboard.child.stop()

  plugboard = await start()
  expect(await plugboard.adminKey()).toBe(first)
  expect(await statusWith(plugboard, first)).toBe(401)
  expect(plugboard.child.output).toMatch(/plugboard\/main\.ts key reset --data \S+\/data/)
  await plugboard.child.stop()
  await rm(keyFile())
  plugboard = await start()
  await expect(stat(keyFile())).rejects.toThrow('ENOENT')

  const reset = await keyReset(plugboard)
  expect(reset.code, reset.output).toBe(0)
  expect(reset.output).toMatch(/^admin key \S+ written to data\/secrets\/admin\.key$/m)
  expect((await stat(keyFile())).mode & 0o777).toBe(0o600)
  expect(await statusWith(plugboard, await plugboard.adminKey())).toBe(200)
})

it('is never read from a file, and the mode of its file is private', async () => {
  const stale = createApiKey().key
  await mkdir(join(folder, 'data/secrets'), { recursive: true })
  await writeFile(keyFile(), `${stale}\n`)
  await chmod(keyFile(), 0o644)
  database = await createTestDatabase()
  const plugboard = await start()
  expect(plugboard.child.output).toContain('was open to other users')
  expect(await plugboard.adminKey()).not.toBe(stale)
  expect(await statusWith(plugboard, stale)).toBe(401)
  expect(await statusWith(plugboard, await plugboard.adminKey())).toBe(200)
  expect((await readFile(join(folder, 'data/secrets/admin.key.old'), 'utf8')).trim()).toBe(stale)
})

it('is reset in the embedded database, while Plugboard runs and while it is stopped', async () => {
  let plugboard = await start()
  const first = await plugboard.adminKey()
  const running = await keyReset(plugboard, '--revoke-others')
  expect(running.code, running.output).toBe(0)
  const second = await plugboard.adminKey()
  expect([await statusWith(plugboard, first), await statusWith(plugboard, second)]).toEqual([401, 200])
  await plugboard.child.stop()

  const stopped = await keyReset(plugboard, '--stdout')
  expect(stopped.code, stopped.output).toBe(0)
  const third = /^vsk_\w+$/m.exec(stopped.output)?.[0]
  expect(stopped.output).toContain('note: 1 other key(s) with the scope admin stay active')
  expect(await plugboard.adminKey()).toBe(second)
  plugboard = await start()
  expect([await statusWith(plugboard, second), await statusWith(plugboard, third!)]).toEqual([200, 200])
  await plugboard.child.stop()

  const nowhere = await plugboard.run('key', 'reset', '--data', join(folder, 'other'))
  expect(nowhere.code).toBe(1)
  expect(nowhere.output).toContain('There is no database in')
})
