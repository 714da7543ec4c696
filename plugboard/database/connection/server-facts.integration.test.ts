// Tests the facts about the database server against a real Postgres.

import { expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/support/postgres/postgres.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { openDatabase } from '../database.ts'

test('reads version, clock, connections, and the heartbeats of replicas', async () => {
  const db = await createTestDatabase()
  const database = openDatabase({ url: db.url })
  try {
    const row = { startedAt: new Date(), address: '', publicUrl: null, version: '0', state: 'ready' as const }
    const incarnation = 'i1'
    await database.store.replicas.beat({ ...row, id: asReplicaId('r1'), incarnation, appliedSequence: 0 })
    const facts = await database.serverFacts(() => Date.now() + 5_000)
    expect(facts.versionNumber).toBeGreaterThan(140_000)
    expect(facts.version).toMatch(/^\d+/)
    expect(facts.readOnly).toBe(false)
    expect(facts.usedConnections).toBeGreaterThan(0)
    expect(facts.maxConnections).toBeGreaterThan(facts.usedConnections)
    // The clock of the caller is 5 s ahead.
    expect(facts.clockDifferenceMs).toBeGreaterThan(3_000)
    expect(facts.replicas?.map(({ id }) => id)).toEqual(['r1'])
  } finally {
    await database.close()
    await db.drop()
  }
})
