import { describe, expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { SAMPLE_TELEPHONE as telephone } from '../../../test/support/admin-api/sample-telephone.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import type { ListedTelephone } from '../api-types.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

const row = (fields: Partial<ListedTelephone>) => ({ ...telephone, ...fields })
const list = async (query = '') => (await api.call('GET', `/v1/telephones${query}`)).body
const ids = (items: { id: string }[]) => items.map(({ id }) => id)

test('lists telephones by name with their services, and filters by service and name', async () => {
  api.telephones.push(telephone, { ...telephone, id: 'tunnel-2', name: 'other', services: [], rttMs: 1.5 })
  const { items, next, missingReplicas } = await list()
  expect(items).toMatchObject([
    { id: 'tunnel-2', rttMs: 1.5 },
    {
      id: 'tunnel-1',
      rttMs: null,
      connectedAt: '1970-01-01T00:00:00.000Z',
      services: [{ mounts: ['a.test'] }],
    },
  ])
  expect([next, missingReplicas]).toEqual([null, []])
  expect(ids((await list('?service=shop')).items)).toEqual(['tunnel-1'])
  expect(ids((await list('?name=other')).items)).toEqual(['tunnel-2'])
})

describe('with other replicas', () => {
  test('lists their tunnels, and names a replica that sent no response', async () => {
    api.telephones.push(telephone)
    const asked: unknown[] = []
    api.remote.push({
      replicaId: 'r2',
      respond: (name, params) => {
        if (name !== 'telephones') return undefined
        asked.push([name, params])
        // A newer version may add keys.
        return {
          items: [{ ...row({ id: 'tunnel-9', name: 'a', replicaId: 'r2' }), mood: 'new' }],
          more: false,
        }
      },
    })
    api.missing.push({ id: 'r3', reason: 'there is no link to it' })
    const { items, missingReplicas } = await list('?service=shop&limit=10')
    expect(items).toMatchObject([
      { id: 'tunnel-9', replicaId: 'r2' },
      { id: 'tunnel-1', replicaId: 'r1' },
    ])
    expect(items[0]).not.toHaveProperty('mood')
    expect(missingReplicas).toEqual([{ id: 'r3', reason: 'there is no link to it' }])
    expect(asked).toEqual([['telephones', { service: 'shop', limit: 10 }]])
  })

  test('lists the tunnels that it can read, and names a replica with values of a newer version', async () => {
    const [line] = telephone.services
    api.remote.push({
      replicaId: 'r2',
      respond: name => {
        if (name !== 'telephones') return undefined
        const newer = { ...row({ id: 'tunnel-8', name: 'b' }), services: [{ ...line, health: 'resting' }] }
        return { items: [newer, row({ id: 'tunnel-9', name: 'c', replicaId: 'r2' })], more: false }
      },
    })
    const { items, missingReplicas } = await list()
    // Only the line with the unknown health is left out.
    expect(items).toMatchObject([
      { id: 'tunnel-8', services: [] },
      { id: 'tunnel-9', services: [{ health: 'up' }] },
    ])
    expect(missingReplicas).toEqual([
      { id: 'r2', reason: 'a part of its response has values that this version cannot read' },
    ])
  })

  test('pages have no gap, also when one replica cuts its list', async () => {
    const own = ['a', 'c', 'e', 'g']
    api.telephones.push(...own.map(name => ({ ...telephone, id: `own-${name}`, name })))
    const others = ['b', 'd', 'f', 'h'].map(name => row({ id: `other-${name}`, name, replicaId: 'r2' }))
    api.remote.push({
      replicaId: 'r2',
      respond: (_name, params) => {
        const { after } = params as { after?: [string, string] }
        const left = others.filter(({ name }) => after === undefined || name > after[0])
        return { items: left.slice(0, 1), more: left.length > 1 }
      },
    })
    const found: string[] = []
    let next: string | null = null
    let pages = 0
    do {
      const page = await list(`?limit=3${next === null ? '' : `&cursor=${next}`}`)
      found.push(...page.items.map(({ name }: { name: string }) => name))
      next = page.next
      pages += 1
    } while (next !== null && pages < 20)
    expect(found).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  })

  test('a response of another form counts as missing', async () => {
    api.telephones.push(telephone)
    api.remote.push({ replicaId: 'r2', respond: () => ({ items: 'many' }) })
    const { items, missingReplicas } = await list()
    expect(ids(items)).toEqual(['tunnel-1'])
    expect(missingReplicas).toEqual([
      { id: 'r2', reason: 'its response has a form that this version cannot read' },
    ])
  })
})

test('rejects a cursor of another list', async () => {
  const { status, body } = await api.call('GET', '/v1/telephones?cursor=WzFd')
  expect([status, body.code]).toEqual([400, 'invalid_request'])
})

test('a replica responds to others with a page of its own tunnels, and bounds its size', () => {
  const labels = Object.fromEntries(
    Array.from({ length: 64 }, (_, index) => [`label-${index}`, 'x'.repeat(200)]),
  )
  const services = Array.from({ length: 20 }, (_, index) => ({
    service: `s${index}`,
    mounts: [],
    health: 'up' as const,
    weight: 1,
    version: '',
    labels,
    outage: null,
    override: null,
    ejections: [],
    subsetStops: [],
  }))
  for (let index = 0; index < 10; index += 1) {
    api.telephones.push({ ...telephone, id: `tunnel-${index}`, name: `t${index}`, services })
  }
  const response = api.cluster.respond('telephones', { limit: 10 }) as { items: unknown[]; more: boolean }
  expect(response.more).toBe(true)
  expect(response.items.length).toBeGreaterThan(0)
  expect(JSON.stringify(response).length).toBeLessThan(1_100_000)
  expect(api.cluster.respond('unknown', {})).toBeUndefined()
  expect(() => api.cluster.respond('telephones', { limit: 'many' })).toThrow()
})
