// A database that rejects Plugboard: each command prints the reason in one line and ends. A start waits when waiting can help.

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TestDatabase } from '../support/postgres/postgres.ts'
import { databaseUrl } from '../support/postgres/postgres-setup.ts'
import type { Child } from '../support/process/child.ts'
import { freePort } from '../support/process/free-port.ts'
import { cleanEnvironment, PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { useDatabase } from '../support/programs/use-database.ts'

const MAIN = join(import.meta.dirname, '../../plugboard/main.ts')

let folder: string
let db: TestDatabase
const processes = useDatabase(created => {
  ;({ db, folder } = created)
})

const launch = (databaseUrl: string) => PlugboardProcess.launch({ processes, folder, databaseUrl })

async function endOf(child: Child): Promise<string> {
  child.expectedToExit = true
  const exit = await child.exited
  expect(exit, child.output).toEqual({ code: 1, signal: null })
  expect(child.output).not.toMatch(/^\s+at /m)
  expect(child.output).not.toContain('database is unavailable')
  return child.lines.filter(line => line.startsWith('plugboard: ')).join('\n')
}

describe('a database that does not exist', () => {
  it('ends the first start with the error text of the server', async () => {
    const { child } = await launch(databaseUrl(db.url, 'no_such_database'))
    expect(await endOf(child)).toMatch(
      /^plugboard: The database .*no_such_database.* reports: database "no_such_database" does not exist\. Create the database, or correct its name in the database URL\.$/,
    )
  })

  it.each(['migrate', 'migrate --status', 'key reset --stdout'])(
    'ends plugboard %s with this text',
    async command => {
      const url = databaseUrl(db.url, 'no_such_database')
      const args = [MAIN, ...command.split(' '), '--database-url', url]
      const child = processes.node(command, args, { env: cleanEnvironment(), cwd: folder })
      const line = await endOf(child)
      expect(line).toMatch(/^plugboard: .* reports: database "no_such_database" does not exist\./)
      expect(line).not.toContain('traffic')
    },
  )
})

it('a user that the server does not accept ends the first start', async () => {
  const { child } = await launch(db.url.replace(/^(\w+:\/\/)[^/@]*@/, '$1no_such_user:wrong@'))
  expect(await endOf(child)).toMatch(/ reports: .*"no_such_user".* Correct the user/)
})

it('a database that is down is waited for, with the reason in the log', async () => {
  const port = await freePort()
  const { child } = await launch(`postgres://u:secret@127.0.0.1:${port}/plugboard`)
  await child.waitForLine(/the start waits for it/)
  const reason = `The database 127.0.0.1:${port}/plugboard cannot be reached: connect ECONNREFUSED`
  expect(child.output).toContain(reason)
  expect(child.output).not.toContain('secret')
  expect(await child.stop()).toEqual({ code: 0, signal: null })
})
