// This release on a database that a newer release has migrated: after a roll-back, or during a rolling upgrade.

import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { migrateDatabase } from '../../plugboard/database/migration/migrate.ts'
import { Backend } from '../support/backend/backend-process.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { ADDITIVE, INCOMPATIBLE, migrateToNextRelease } from '../support/next-release/schema.ts'
import { withMigrationsBefore } from '../support/postgres/older-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.ts'
import { administer } from '../support/postgres/postgres-setup.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { TelephoneProcess } from '../support/programs/telephone-process.ts'
import { useDatabase } from '../support/programs/use-database.ts'

const HOST = 'app.localhost'
let folder: string
let db: TestDatabase
const processes = useDatabase(created => {
  ;({ db, folder } = created)
})

const start = (program?: string) =>
  PlugboardProcess.launch({ processes, folder, databaseUrl: db.url, ...(program && { program }) })

/** Creates a service, a route and a Telephone through this replica, and sends a request. */
async function serves(plugboard: PlugboardProcess): Promise<void> {
  await plugboard.ready()
  await plugboard.addService('app')
  await plugboard.addRoute(HOST, 'app')
  const backend = await Backend.start(processes)
  const { token } = await plugboard.issueToken({ services: ['app'] })
  await TelephoneProcess.start({ processes, plugboard, token, target: backend.port, service: 'app' })
  await eventually('a request is served', async () =>
    (await send({ port: plugboard.port, host: HOST, path: '/hello' })).text === 'hello\n' ? true : undefined,
  )
}

describe('a schema of a newer release', () => {
  it('is used and not changed when its migrations allow this release', async () => {
    await migrateToNextRelease(db.url, ADDITIVE)
    const plugboard = await start()
    await serves(plugboard)
    await plugboard.child.waitForLine(/the schema is of a newer version that allows this one to run/)
    expect(plugboard.child.output).toContain(ADDITIVE.name)
    const { output, code } = await plugboard.run('migrate', '--status', '--json', '--database-url', db.url)
    expect([code, JSON.parse(output)]).toMatchObject([0, { pending: 0, newer: [ADDITIVE.name] }])
  })

  it('ends the start when a migration does not allow this release', async () => {
    await migrateToNextRelease(db.url, ADDITIVE, INCOMPATIBLE)
    const { child } = await start()
    child.expectedToExit = true
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(child.lines.filter(line => line.startsWith('plugboard: '))).toEqual([
      'plugboard: The database is newer than this plugboard: migration 9999_incompatible needs version 999.0.0. Update plugboard.',
    ])
  })
})

describe('rows of a newer release', () => {
  it('close their route when they have a rule that this release does not have', async () => {
    const plugboard = await start()
    await serves(plugboard)
    const set = (options: string) =>
      administer(db.url, `UPDATE plugboard.routes SET options = '${options}' WHERE host = '${HOST}'`)
    const responses = (status: number) =>
      eventually(`the route responds with ${status}`, async () => {
        const response = await send({ port: plugboard.port, host: HOST, path: '/hello' })
        return response.status === status ? response : undefined
      })

    await set('{"geo": ["NZ"], "requires": {"geo": "0.9.0"}}')
    expect((await responses(503)).headers['plugboard-error']).toBe('route_unusable')
    await plugboard.child.waitForLine(/geo: needs Plugboard 0\.9\.0 or newer/)
    await set('{"stickers": true}')
    await responses(200)
  })
})

it('serves routes of an older release after the migration', async () => {
  const old = await createTestDatabase({ empty: true })
  try {
    await withMigrationsBefore('0011_respond', migrations =>
      migrateDatabase({ url: old.url, folder: migrations }),
    )
    await administer(
      old.url,
      `INSERT INTO plugboard.routes (host, mount_path, options)
       VALUES ('${HOST}', '/', '{"answer": {"status": 503, "body": "Later."}}')`,
    )
    const plugboard = await PlugboardProcess.start({ processes, folder, databaseUrl: old.url })
    const response = await send({ port: plugboard.port, host: HOST, path: '/hello' })
    expect([response.status, response.text]).toEqual([503, 'Later.'])
    const listed = await plugboard.api('GET', '/v1/routes')
    expect(JSON.parse(listed.text).items).toMatchObject([
      { options: { respond: { status: 503, body: 'Later.' } } },
    ])
    expect(listed.text).not.toContain('requires')
  } finally {
    await processes.stopAll()
    await old.drop()
  }
})

const older = process.env.VERA_OLDER_BUNDLE
const reason = 'VERA_OLDER_BUNDLE names no main.js of an older release'
describe.skipIf(older === undefined)(`an older release (else: ${reason})`, () => {
  it('serves on the schema of this tree', async () => {
    expect(existsSync(older!), `${reason}: ${older}`).toBe(true)
    await serves(await start(older))
  })
})
