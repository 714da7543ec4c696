import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { administer } from '../../../test/support/postgres/postgres-setup.ts'
import type { ProcessOverride, Store } from '../../database/store/store.ts'
import { Registry } from '../../registry/registry.ts'
import { resolveServicePolicy } from '../../routes/options/service-policy.ts'
import { OverrideKeeper } from './override-keeper.ts'

const by = { actor: 'test' }
let database: TestDatabase
let store: Store
beforeAll(async () => {
  database = await createTestDatabase()
  store = database.open().store
})
afterAll(() => database.drop())

test('deletes the overrides of processes that no replica has seen for ten minutes', async () => {
  const { id, name } = await store.services.create({ name: 'shop' }, by)
  const create = (instance: string) =>
    store.processOverrides.create({ serviceId: id, instance, telephone: 'a', weight: 0, setBy: 'ana' }, by)
  const [here, gone] = [await create('here'), await create('gone')]
  await administer(database.url, "UPDATE plugboard.process_overrides SET seen_at = now() - interval '1 hour'")
  const registry = new Registry()
  const line = makeLine('r1', 't1', 'shop', { instance: 'here' })
  registry.replace(line.tunnelId, [line])
  const clock = new ManualClock()
  const rows: ProcessOverride[] = [here, gone]
  const startKeeper = () =>
    new OverrideKeeper({
      directory: {
        databaseReachable: true,
        service: () => ({ id, name, policy: resolveServicePolicy({}).policy }),
        overrides: () => rows.map(row => ({ ...row, ejectedUntilMs: null })).values(),
      },
      registry,
      store,
      incarnation: 'i1',
      clock,
      log: silentLogger,
    })
  const left = async () => (await store.processOverrides.list()).items.map(({ instance }) => instance)
  const seen = async () => {
    const recent =
      "SELECT instance FROM plugboard.process_overrides WHERE seen_at > now() - interval '1 minute'"
    return (await administer(database.url, recent)).map(({ instance }) => instance)
  }
  // A replica that has just started deletes nothing, because it may not have all lines yet.
  const young = startKeeper()
  clock.advance(60_000)
  await young.stop()
  expect([await seen(), await left()]).toEqual([['here'], ['here', 'gone']])

  const keeper = startKeeper()
  clock.advance(600_000)
  await keeper.stop()
  expect(await left()).toEqual(['here'])
  const [change] = (await store.changes.list({ limit: 1 })).items
  expect(change).toMatchObject({ actor: 'system', action: 'deleted', entityId: gone.id })
})

test('starts no further round while one waits for the database', async () => {
  const clock = new ManualClock()
  let rounds = 0
  const answers: (() => void)[] = []
  const keeper = new OverrideKeeper({
    directory: {
      databaseReachable: true,
      service: () => undefined,
      overrides: () => [{ id: 'o1', serviceId: 's1', instance: 'i' }].values() as never,
    },
    registry: new Registry(),
    store: {
      processOverrides: {
        seen: () => {
          rounds += 1
          return new Promise<void>(resolve => answers.push(resolve))
        },
      },
    } as unknown as Store,
    incarnation: 'i1',
    clock,
    log: silentLogger,
  })
  for (let minute = 0; minute < 5; minute += 1) clock.advance(60_000)
  expect(rounds).toBe(1)
  for (const answer of answers) answer()
  await keeper.stop()
})
