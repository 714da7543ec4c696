import { describe, expect, it } from 'vitest'
import type { ChangeBody } from '../../../admin/api-types.ts'
import { changeText } from './change-text.ts'

const change = (fields: Partial<ChangeBody>): ChangeBody => ({
  sequence: 1,
  id: 'change-1',
  at: '2026-11-20T12:00:00.000Z',
  actor: 'test',
  entity: 'route',
  entityId: 'id-1',
  action: 'updated',
  before: null,
  after: null,
  bundle: null,
  ...fields,
})
const route = (fields: object) => ({
  id: 'id-1',
  host: 'app.test',
  mountPath: '/api',
  mount: 'app.test/api',
  serviceId: 's1',
  service: 'shop',
  options: {},
  version: 1,
  updatedAt: '2026',
  ...fields,
})

describe('changeText', () => {
  it('names the mount and the service of a new route', () => {
    expect(changeText(change({ action: 'created', after: route({}) }))).toBe(
      'route app.test/api → shop created',
    )
    expect(changeText(change({ action: 'created', after: route({ service: null }) }))).toBe(
      'route app.test/api → (Plugboard responds) created',
    )
  })

  it('names both services when a route leads to another one', () => {
    const after = route({ service: 'shop-v2', serviceId: 's2', version: 2, updatedAt: '2027' })
    expect(changeText(change({ before: route({}), after }))).toBe(
      'route app.test/api updated: service shop → shop-v2',
    )
  })

  it('shows each difference within the options with its path', () => {
    const before = route({ options: { access: { allow: ['10.0.0.0/8'] }, stripMount: true } })
    const after = route({ options: { access: { allow: ['10.1.0.0/16'] }, allowHttp: true } })
    expect(changeText(change({ before, after }))).toBe(
      'route app.test/api updated: options.access.allow ["10.0.0.0/8"] → ["10.1.0.0/16"], ' +
        'options.stripMount true → unset, options.allowHttp unset → true',
    )
  })

  it('shows the old mount of a route that moves', () => {
    const after = route({ mount: 'app.test/v2', mountPath: '/v2' })
    expect(changeText(change({ before: route({}), after }))).toBe(
      'route app.test/api updated: mount app.test/api → app.test/v2',
    )
  })

  it('names a service, and uses the id for a row without a name', () => {
    const service = { before: { name: 'shop' }, after: { name: 'shop-eu' } }
    expect(changeText(change({ entity: 'service', ...service }))).toBe(
      'service shop updated: name shop → shop-eu',
    )
    expect(changeText(change({ entity: 'signing_key', action: 'retired', before: {} }))).toBe(
      'signing_key id-1 retired',
    )
  })

  it('says who looked at exchanges of a service, and what was sent again', () => {
    const read = {
      entity: 'inspection',
      action: 'created',
      after: { service: 'shop', kind: 'read' },
    } as const
    expect(changeText(change(read))).toBe('exchanges of shop read')
    const replay = { ...read, after: { service: 'shop', kind: 'replay', exchange: 'e1' } }
    expect(changeText(change(replay))).toBe('exchange e1 of shop replayed')
  })

  it('describes the override of a process', () => {
    const row = { telephone: 'laptop', service: 'shop', setBy: 'ana', weight: null, ejectedUntil: null }
    const text = (after: object, action: ChangeBody['action'] = 'created') =>
      changeText(change({ entity: 'process_override', action, after: { ...row, ...after } }))
    expect(text({ weight: 0, reason: 'new disk' })).toBe('process laptop of shop drained by ana (new disk)')
    expect(text({ weight: 10 }, 'updated')).toBe('process laptop of shop weight set to 10 by ana')
    expect(text({ ejectedUntil: '2026-11-20T12:05:00Z' })).toBe(
      'process laptop of shop ejected until 2026-11-20T12:05:00Z by ana',
    )
    expect(text({ weight: 0 }, 'deleted')).toBe('process laptop of shop resumed')
  })

  it('cuts long values and long lists of differences', () => {
    const many = (value: number) => Object.fromEntries(Array.from({ length: 30 }, (_, key) => [key, value]))
    const text = changeText(change({ before: many(1), after: many(2) }))
    expect(text).toContain('10 more')
    const long = changeText(change({ before: { note: '' }, after: { note: 'x'.repeat(1000) } }))
    expect(long.length).toBeLessThan(200)
  })
})
