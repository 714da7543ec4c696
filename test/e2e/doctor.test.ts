// The doctor of a real Plugboard: it finds the faults of the public side and of services, and the machine after the stop. No row has
// a secret.

import { expect, it } from 'vitest'
import type { CheckBody, DoctorBody } from '../../plugboard/admin/api-types.ts'
import type { TestDatabase } from '../support/postgres/postgres.ts'
import { freePort } from '../support/process/free-port.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { useDatabase } from '../support/programs/use-database.ts'

let folder: string
let db: TestDatabase
const processes = useDatabase(created => {
  ;({ db, folder } = created)
})

/** A busy machine responds late, which is a warning. */
const RESPONDS = /^(ok|warning)$/
const stateOf = (items: readonly CheckBody[], id: string) => items.find(item => item.id === id)?.state

it('finds the faults of a running Plugboard, each with its remedy', async () => {
  const [port, adminPort] = [await freePort(), await freePort()]
  // The public URL leads to the admin port.
  const args = ['--public-url', `http://127.0.0.1:${adminPort}`, '--trusted-proxies', '127.0.0.1']
  const plugboard = await PlugboardProcess.start({
    processes,
    folder,
    databaseUrl: db.url,
    port,
    adminPort,
    args,
  })
  await plugboard.call('POST', '/v1/services', { name: 'shop' })
  await plugboard.call('POST', '/v1/routes', { mount: 'shop.test', service: 'shop' })
  await plugboard.untilApplied()
  const { items } = await plugboard.call<DoctorBody>('GET', '/v1/doctor')
  expect(stateOf(items, 'database.reachable')).toMatch(RESPONDS)
  expect(stateOf(items, 'database.migrations')).toBe('ok')
  expect(stateOf(items, 'publicUrl.instance')).toBe('warning')
  expect(stateOf(items, 'services.telephones')).toBe('failed')
  expect(stateOf(items, 'credentials.adminKeys')).toBe('warning')
  for (const { state, remedy } of items) if (state === 'failed') expect(remedy).not.toBeNull()
  const { output, code } = await plugboard.cli('doctor')
  expect(code).toBe(1)
  expect(output).toContain('no telephone that takes requests: "shop"')
  expect(output).toContain('→ Run "telephone check"')
  expect(output).not.toContain(await plugboard.adminKey())
})

it('finds that publicUrl leads to this Plugboard, and checks the machine after the stop', async () => {
  const port = await freePort()
  const args = ['--public-url', `http://127.0.0.1:${port}`]
  const plugboard = await PlugboardProcess.start({ processes, folder, databaseUrl: db.url, port, args })
  const { items } = await plugboard.call<DoctorBody>('GET', '/v1/doctor')
  expect(stateOf(items, 'publicUrl.instance')).toBe('ok')
  await plugboard.child.stop()
  const { output, code } = await plugboard.cli('doctor', '--json', '--database-url', db.url)
  expect(code).toBe(1)
  const local = (JSON.parse(output.slice(0, output.lastIndexOf('}') + 1)) as DoctorBody).items
  expect(stateOf(local, 'process.running')).toBe('failed')
  expect(stateOf(local, 'database.reachable')).toMatch(RESPONDS)
  expect(stateOf(local, 'database.migrations')).toBe('ok')
})
