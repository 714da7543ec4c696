import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { ServerFacts } from '../../database/connection/server-facts.ts'
import {
  checkConnections,
  checkDatabaseClock,
  checkMigrations,
  checkReachable,
  checkReplicaRows,
  checkResponse,
  checkVersion,
} from './database-checks.ts'

const facts: ServerFacts = {
  versionNumber: 160_004,
  version: '16.4',
  roundTripMs: 3,
  clockDifferenceMs: 20,
  maxConnections: 100,
  usedConnections: 12,
  readOnly: false,
  replicas: [{ id: 'r1', heartbeatAgeMs: 400 }],
}

describe('with a healthy database', () => {
  it('all checks are ok', () => {
    const findings = [
      checkReachable(facts, 'db:5432/plugboard'),
      checkVersion(facts),
      checkDatabaseClock(facts),
      checkConnections(facts, 10),
      checkReplicaRows(facts),
      checkMigrations({ applied: 13, pending: 0, newer: [] }),
    ]
    expect(findings.map(({ state }) => state)).toEqual(Array(6).fill('ok'))
  })
})

describe('the checks of the database', () => {
  it('fail for a standby, which accepts no writes', () => {
    expect(checkReachable({ ...facts, readOnly: true }, 'db')).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('accepts no writes'),
    })
  })

  it('fail for a database that does not respond in time, and for one that refuses', async () => {
    const clock = new ManualClock()
    const silent = checkResponse(() => Promise.withResolvers<never>().promise, 'db', clock)
    clock.advance(5_000)
    expect((await silent).detail).toBe('The database db sent no response within 5 s.')
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    expect(await checkResponse(() => Promise.reject(error), 'db', clock)).toMatchObject({
      state: 'failed',
      detail: 'The database db cannot be reached: connect ECONNREFUSED.',
    })
    expect((await checkResponse(() => Promise.resolve(facts), 'db', clock)).state).toBe('ok')
    expect(clock.pendingTimers).toBe(0)
  })

  it('warn about a slow response', () => {
    expect(checkReachable({ ...facts, roundTripMs: 1001 }, 'db').detail).toContain('after 1001 ms')
    expect(checkReachable({ ...facts, roundTripMs: 1000 }, 'db').state).toBe('ok')
  })

  it('fail for Postgres 13', () => {
    expect(checkVersion({ ...facts, versionNumber: 139_999, version: '13.9' })).toMatchObject({
      state: 'failed',
      detail: 'The database is Postgres 13.9. Plugboard needs 14 or newer.',
    })
  })

  it.each([
    [1001, 'ahead of'],
    [-1001, 'behind'],
  ])('warn about a clock difference of %i ms, with its direction', (clockDifferenceMs, side) => {
    const finding = checkDatabaseClock({ ...facts, clockDifferenceMs })
    expect(finding).toMatchObject({ state: 'warning', detail: expect.stringContaining(`1 s ${side} the`) })
    expect(finding.remedy).toContain('timedatectl')
  })

  it('accept a clock difference of 1 s', () => {
    expect(checkDatabaseClock({ ...facts, clockDifferenceMs: -1000 }).state).toBe('ok')
  })

  it('warn when less than a tenth of the connections is free, and name the settings', () => {
    expect(checkConnections({ ...facts, usedConnections: 90 }, 10).state).toBe('ok')
    const finding = checkConnections({ ...facts, usedConnections: 91 }, 10)
    expect(finding).toMatchObject({ state: 'warning', detail: expect.stringContaining('91 of 100') })
    expect(finding.remedy).toContain('databaseConnections (10 for each replica)')
  })

  it('fail for pending migrations, and warn about those of a newer version', () => {
    expect(checkMigrations({ applied: 10, pending: 3, newer: [] })).toMatchObject({
      state: 'failed',
      detail: 'The schema lacks 3 migrations.',
      remedy: expect.stringContaining('plugboard migrate'),
    })
    expect(checkMigrations({ applied: 14, pending: 0, newer: ['0014_next'] }).state).toBe('warning')
  })

  it('warn about the rows of replicas without a fresh heartbeat', () => {
    const replicas = [
      { id: 'gone', heartbeatAgeMs: 300_000 },
      { id: 'r1', heartbeatAgeMs: 10_000 },
    ]
    const { state, detail } = checkReplicaRows({ ...facts, replicas })
    expect([state, detail]).toEqual([
      'warning',
      expect.stringContaining('"gone". The oldest heartbeat was 5 min'),
    ])
    expect(checkReplicaRows({ ...facts, replicas: undefined }).state).toBe('unknown')
  })
})
