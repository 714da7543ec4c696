import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import type { Store } from './store.ts'

let database: TestDatabase
let store: Store
beforeAll(async () => {
  database = await createTestDatabase()
  store = database.open().store
})
afterAll(() => database.drop())

const by = { actor: 'test' }
const aliasesOf = async (name: string) => (await store.services.get(name)).policy.aliases
const claim = (service: string, mount: string) =>
  store.claimMount({
    service,
    mount,
    token: {
      reference: { kind: 'outside', issuer: 'i', subject: 's', id: 't' },
      services: ['*'],
      mounts: ['*'],
      maxClaims: 10,
    },
  })

it('keeps the old name of a renamed service as an alias, and drops it when the service gets the name again', async () => {
  await store.services.create({ name: 'a', policy: { retries: 1 } }, by)
  await store.services.update('a', { name: 'a2' }, by)
  expect((await store.services.get('a2')).policy).toEqual({ retries: 1, aliases: ['a'] })
  await store.services.update('a2', { name: 'a3', policy: { aliases: ['a'] } }, by)
  expect(await aliasesOf('a3')).toEqual(['a', 'a2'])
  await store.services.update('a3', { name: 'a' }, by)
  expect(await aliasesOf('a')).toEqual(['a2', 'a3'])
  await store.services.update('a', { name: 'a' }, by)
  expect(await aliasesOf('a')).toEqual(['a2', 'a3'])
  await store.services.update('a', { name: 'a9', policy: {}, keepsOldName: false }, by)
  expect(await aliasesOf('a9')).toBeUndefined()
})

it('gives a name or an alias to one service only', async () => {
  await store.services.create({ name: 'b' }, by)
  await store.services.update('b', { name: 'b2' }, by)
  const conflict = { code: 'conflict', message: expect.stringContaining('former name of service "b2"') }
  await expect(store.services.create({ name: 'b' }, by)).rejects.toMatchObject(conflict)
  await store.services.create({ name: 'c' }, by)
  await expect(store.services.update('c', { name: 'b' }, by)).rejects.toMatchObject(conflict)
  await expect(store.services.update('c', { policy: { aliases: ['b'] } }, by)).rejects.toMatchObject(conflict)
  await expect(store.services.update('c', { policy: { aliases: ['b2'] } }, by)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('There is a service "b2" already'),
  })
  await store.services.update('b2', { policy: { aliases: [] } }, by)
  await store.services.create({ name: 'b' }, by)
})

it('rejects a rename that would add the seventeenth alias', async () => {
  const aliases = Array.from({ length: 16 }, (_, index) => `old-${index}`)
  await store.services.create({ name: 'd', policy: { aliases } }, by)
  await expect(store.services.update('d', { name: 'd2' }, by)).rejects.toMatchObject({
    code: 'invalid_request',
  })
})

it('claims a mount for the service that has the name as an alias', async () => {
  const { id } = await store.services.create({ name: 'e' }, by)
  await store.services.update('e', { name: 'e2' }, by)
  const claimed = await claim('e', 'e.test')
  expect([claimed.created, claimed.service.id, claimed.route.serviceId]).toEqual([true, id, id])
  expect(await claim('e', 'e.test')).toMatchObject({ created: false, service: { name: 'e2' } })
  await store.services.create({ name: 'f' }, by)
  await expect(claim('f', 'e.test')).rejects.toMatchObject({ code: 'mount_conflict' })
})
