// Tests the overrides of telephone processes with a real Postgres: the rows, their changes, the rule of the last process, and
// operators at the same time.

import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { administer } from '../../../test/support/postgres/postgres-setup.ts'
import { resolveServicePolicy } from '../../routes/options/service-policy.ts'

let api: AdminApiHarness
const database = useAdminApi(created => {
  api = created
})
let services = 0

/** Creates a service with processes that serve. Returns its name. */
async function serviceOf(...telephones: readonly string[]): Promise<string> {
  services += 1
  const name = `shop-${services}`
  const { id } = (await api.call('POST', '/v1/services', { body: { name } })).body
  api.services.push({ id, name, policy: resolveServicePolicy({}).policy })
  for (const telephone of telephones) {
    const line = makeLine('r1', `${name}-${telephone}`, name, {
      telephone,
      instance: `${telephone}-of-${name}`,
    })
    api.lineStates.push({ line, state: 'serving' })
  }
  return name
}

const post = (body: object, headers: Record<string, string> = {}, query = '') =>
  api.call('POST', `/v1/overrides${query}`, { body, headers })
const patch = (id: string, body: object, version: number | '*' = '*') =>
  api.call('PATCH', `/v1/overrides/${id}`, {
    body,
    headers: { 'if-match': version === '*' ? '*' : `"${version}"` },
  })
const remove = (id: string) => api.call('DELETE', `/v1/overrides/${id}`, { headers: { 'if-match': '*' } })

test('drains a process by its id or the name of its telephone, and resumes it', async () => {
  const service = await serviceOf('a', 'b')
  const drained = await post({ service, process: 'a', weight: 0, reason: 'new disk' })
  expect(drained.status).toBe(201)
  expect(drained.body).toMatchObject({
    service,
    process: `a-of-${service}`,
    telephone: 'a',
    weight: 0,
    ejectedUntil: null,
    reason: 'new disk',
    setBy: 'test',
    version: 1,
  })
  expect(drained.etag).toBe('"1"')
  const list = await api.call('GET', `/v1/overrides?service=${service}`)
  expect([list.body.total, list.body.items[0].id]).toEqual([1, drained.body.id])
  expect((await remove(drained.body.id)).status).toBe(204)
  expect((await api.call('GET', `/v1/overrides?service=${service}`)).body.total).toBe(0)
  expect((await api.call('GET', '/v1/overrides?service=none')).body.total).toBe(0)
  expect((await api.call('GET', `/v1/overrides/${drained.body.id}`)).status).toBe(404)
  expect((await post({ service, process: `a-of-${service}`, weight: 10 })).status).toBe(201)
})

test('an unknown process, service or telephone gets 404 with the next step', async () => {
  const service = await serviceOf('a')
  const unknown = await post({ service, process: 'z', weight: 1 })
  expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found'])
  expect(unknown.body.detail).toContain(
    `It is served by a. List the processes: plugboard service show ${service}`,
  )
  expect((await post({ service: 'none', process: 'a', weight: 1 })).status).toBe(404)
  const missing = await api.call('PATCH', '/v1/overrides/none', { body: {}, headers: { 'if-match': '*' } })
  expect(missing.status).toBe(404)
})

test('a telephone with two processes needs the id of one of them', async () => {
  const service = await serviceOf('a')
  const line = makeLine('r1', `${service}-2`, service, { telephone: 'a', instance: 'second' })
  api.lineStates.push({ line, state: 'serving' })
  const refused = await post({ service, process: 'a', weight: 0 })
  expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, '/process'])
  expect((await post({ service, process: 'second', weight: 0 })).status).toBe(201)
})

test('the last process that takes requests is neither drained nor ejected without force', async () => {
  const service = await serviceOf('a', 'b')
  const [a] = api.lineStates.filter(({ line }) => line.service === service)
  expect((await post({ service, process: 'a', weight: 0 })).status).toBe(201)
  for (const body of [{ weight: 0 }, { ejectFor: '5m' }]) {
    const refused = await post({ service, process: 'b', ...body })
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict'])
    expect(refused.body.detail).toContain('--force')
  }
  expect((await post({ service, process: 'b', weight: 5 })).status).toBe(201)
  const { id } = (await api.call('GET', `/v1/overrides?service=${service}`)).body.items[1]
  expect((await patch(id, { weight: 0 })).status).toBe(409)
  expect((await patch(id, { weight: 0, force: true })).status).toBe(200)
  expect(a).toBeDefined()
})

test('a process that takes no requests now can be drained: nothing changes for requests', async () => {
  const service = await serviceOf('a')
  const line = makeLine('r1', `${service}-b`, service, { telephone: 'b', health: 'down' })
  api.lineStates.push({ line, state: 'down' })
  expect((await post({ service, process: 'b', weight: 0 })).status).toBe(201)
})

test('two operators that drain the last two processes at the same time: one of them is refused', async () => {
  const service = await serviceOf('a', 'b')
  const both = await Promise.all(['a', 'b'].map(process => post({ service, process, weight: 0 })))
  expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
})

test('two operators that change one process: the second one gets 409, and 412 with an old version', async () => {
  const service = await serviceOf('a', 'b')
  const both = await Promise.all([1, 2].map(weight => post({ service, process: 'a', weight })))
  expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
  const { id } = both.find(({ status }) => status === 201)!.body
  const changes = await Promise.all([3, 4].map(weight => patch(id, { weight }, 1)))
  expect(changes.map(({ status }) => status).sort()).toEqual([200, 412])
})

test('ejects for a time by the clock of the database, within its bounds', async () => {
  const service = await serviceOf('a', 'b')
  const { body } = await post({ service, process: 'a', ejectFor: '90s' })
  const remainingMs = Date.parse(body.ejectedUntil) - Date.now()
  expect(remainingMs).toBeGreaterThan(80_000)
  expect(remainingMs).toBeLessThan(91_000)
  for (const ejectFor of ['2h', '10ms', 'soon']) {
    const refused = await post({ service, process: 'b', ejectFor })
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, '/ejectFor'])
  }
  expect((await patch(body.id, { weight: 7, ejectFor: null })).body).toMatchObject({
    weight: 7,
    ejectedUntil: null,
  })
  const empty = await patch(body.id, { weight: null })
  expect([empty.status, empty.body.errors[0].pointer]).toEqual([400, '/weight'])
  expect((await post({ service, process: 'b' })).status).toBe(400)
})

test('an ejection that is over does not stand in the way of a new one', async () => {
  const service = await serviceOf('a', 'b')
  const { body } = await post({ service, process: 'a', ejectFor: '1s' })
  await administer(
    database().url,
    "UPDATE plugboard.process_overrides SET ejected_until = now() - interval '1 s' WHERE id = $1",
    [body.id],
  )
  expect((await post({ service, process: 'a', weight: 0 })).status).toBe(201)
})

test('each write is in the change log, and can be undone', async () => {
  const service = await serviceOf('a', 'b')
  const { body } = await post({ service, process: 'a', weight: 0 })
  const log = async () => (await api.call('GET', `/v1/changes?service=${service}`)).body.items
  const [drained] = await log()
  expect(drained).toMatchObject({
    entity: 'process_override',
    action: 'created',
    after: { service, telephone: 'a', weight: 0, setBy: 'test' },
  })
  expect((await api.call('POST', `/v1/changes/${drained.sequence}/undo`)).status).toBe(200)
  expect((await api.call('GET', `/v1/overrides/${body.id}`)).status).toBe(404)
  const [undone] = await log()
  expect((await api.call('POST', `/v1/changes/${undone.sequence}/undo`)).status).toBe(200)
  expect((await api.call('GET', `/v1/overrides/${body.id}`)).body).toMatchObject({ weight: 0, version: 3 })
  await patch(body.id, { weight: 9 })
  expect((await api.call('POST', `/v1/changes/${undone.sequence + 1}/undo`)).status).toBe(412)
})

test('a dry run changes no row, and a repetition with an Idempotency-Key has the first response', async () => {
  const service = await serviceOf('a', 'b')
  const dry = await post({ service, process: 'a', weight: 0 }, {}, '?dryRun=true')
  expect([dry.status, dry.body.weight]).toEqual([200, 0])
  expect((await api.call('GET', `/v1/overrides?service=${service}`)).body.total).toBe(0)
  const headers = { 'idempotency-key': `"${service}"` }
  const [first, second] = [
    await post({ service, process: 'a', weight: 0 }, headers),
    await post({ service, process: 'a', weight: 0 }, headers),
  ]
  expect([second.status, second.body]).toEqual([201, first.body])
})

test('needs the scope services:write, within the limits of the key', async () => {
  const service = await serviceOf('a', 'b')
  const body = { service, process: 'a', weight: 0 }
  const { key } = await api.key(['services:read'])
  expect((await api.call('POST', '/v1/overrides', { body, key })).status).toBe(403)
  const limits = { services: ['other'], mounts: [] }
  const limited = await api.call('POST', '/v1/keys', {
    body: { name: 'limited', scopes: ['services:*', 'changes:read'], limits },
  })
  const refused = await api.call('POST', '/v1/overrides', { body, key: limited.body.key })
  expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
  await post(body)
  const [change] = (await api.call('GET', `/v1/changes?service=${service}`)).body.items
  const undo = await api.call('POST', `/v1/changes/${change.sequence}/undo`, { key: limited.body.key })
  expect(undo.status).toBe(403)
})

test('a row that applies cannot be deleted in the database, because replicas would not follow', async () => {
  const service = await serviceOf('a', 'b')
  const { body } = await post({ service, process: 'a', weight: 0 })
  const deleted = administer(database().url, 'DELETE FROM plugboard.process_overrides WHERE id = $1', [
    body.id,
  ])
  await expect(deleted).rejects.toThrow('set deleted_at first')
})
