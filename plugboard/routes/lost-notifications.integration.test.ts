// Tests a database whose notifications never arrive, as behind a connection pooler in transaction mode.

import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/support/postgres/postgres.ts'
import { createDirectory } from './directory.ts'

test.each([true, false])('detects whether notifications are lost: %s', async lost => {
  const direct = await createTestDatabase()
  const real = direct.open()
  const warnings: string[] = []
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const openChangeFeed = async () => {
    const feed = await real.openChangeFeed()
    const listen: typeof feed.listen = given =>
      feed.listen(lost ? { ...given, notified: () => undefined } : given)
    return { ...feed, listen }
  }
  const directory = createDirectory({ database: { openChangeFeed }, log, pollIntervalMs: 100 })
  await directory.start()
  for (let index = 0; index < 3; index += 1) {
    await real.store.services.create({ name: `shop-${index}` }, { actor: 'test' })
    await expect.poll(() => directory.serviceByName(`shop-${index}`)).toBeDefined()
  }
  await expect.poll(() => directory.notificationsArrive).toBe(!lost)
  expect(warnings).toEqual(lost ? ['database notifications do not arrive; changes are read by polling'] : [])
  await directory.stop()
  await direct.drop()
})
