import { expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { asTunnelId } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import type { DirectoryListener, DirectoryService } from '../../routes/directory.ts'
import { DEFAULT_SERVICE_POLICY } from '../../routes/options/service-policy.ts'
import { LinePicker } from '../picker/line-picker.ts'
import type { PickPolicy } from '../picker/pick-request.ts'
import type { Candidate } from '../pools/line-pool.ts'
import { ServiceNames } from './service-names.ts'

const POLICY: PickPolicy = DEFAULT_SERVICE_POLICY
const request = (service: string, policy = POLICY) => ({
  service,
  policy,
  tried: undefined,
  preferred: undefined,
  client: '',
  key: undefined,
})
const service = (id: string, name: string, ...aliases: string[]): DirectoryService => ({
  id: asServiceId(id),
  name,
  policy: { ...DEFAULT_SERVICE_POLICY, aliases },
})

function setUp(...services: DirectoryService[]) {
  let all = services
  const listeners = new Set<DirectoryListener>()
  const directory = {
    serviceByName: (name: string) =>
      all.find(each => each.name === name) ?? all.find(each => each.policy.aliases.includes(name)),
    subscribe: (listener: DirectoryListener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const registry = new Registry()
  const upstreamOf = () => ({ canOpen: true, streamCount: 0, open: () => expect.fail('a stream was opened') })
  const picker = new LinePicker({ registry, upstreamOf, names: new ServiceNames(directory) })
  const change = (after: DirectoryService) => {
    const before = all.find(({ id }) => id === after.id)
    all = [...all.filter(({ id }) => id !== after.id), after]
    for (const listener of listeners) listener.serviceChanged?.(before, after)
  }
  const picked = (name: string) => {
    const candidate = picker.pick(request(name))
    return typeof candidate === 'string' ? candidate : candidate.line.service
  }
  return { registry, picker, change, picked, listeners }
}

it('moves lines to the new name of a service, and back to the old name', () => {
  const { registry, change, picked } = setUp(service('1', 'shop'))
  registry.replace(asTunnelId('t1'), [makeLine('r1', 't1', 'shop')])
  expect(picked('shop')).toBe('shop')
  change(service('1', 'shop-eu', 'shop'))
  expect([picked('shop-eu'), picked('shop')]).toEqual(['shop', 'no_telephone'])
  change(service('1', 'shop', 'shop-eu'))
  expect([picked('shop'), picked('shop-eu')]).toEqual(['shop', 'no_telephone'])
})

it('keeps the stream count of a pool that is renamed, and follows changes of its lines', () => {
  const { registry, picker, change, picked } = setUp(service('1', 'shop'))
  registry.replace(asTunnelId('t1'), [makeLine('r1', 't1', 'shop')])
  const holder = { client: '', poolSlot: 0 }
  const candidate = picker.pick(request('shop')) as Candidate
  picker.acquire(candidate, holder)
  change(service('1', 'shop-eu', 'shop'))
  expect(picker.pick(request('shop-eu', { ...POLICY, maxStreams: 1 }))).toBe('overloaded')
  picker.release(candidate, holder)
  expect(picked('shop-eu')).toBe('shop')
  registry.replace(asTunnelId('t1'), [{ ...makeLine('r1', 't1', 'shop'), health: 'down' }])
  expect(picked('shop-eu')).toBe('service_unhealthy')
  registry.replace(asTunnelId('t1'), [])
  registry.replace(asTunnelId('t2'), [makeLine('r1', 't2', 'shop')])
  registry.replace(asTunnelId('t3'), [makeLine('r1', 't3', 'shop-eu')])
  expect(picker.candidatesOf('shop-eu').map(({ line }) => line.tunnelId)).toEqual(['t2', 't3'])
})

it('keeps the lines of a telephone that connects while a stream of a removed pool is open', () => {
  const { registry, picker, picked } = setUp(service('1', 'shop'))
  registry.replace(asTunnelId('t1'), [makeLine('r1', 't1', 'shop')])
  const holder = { client: '', poolSlot: 0 }
  const candidate = picker.pick(request('shop')) as Candidate
  picker.acquire(candidate, holder)
  registry.replace(asTunnelId('t1'), [])
  // A retry ends its stream on the line. When it finds no other line, it continues with this stream.
  picker.release(candidate, holder)
  expect(picked('shop')).toBe('no_telephone')
  picker.acquire(candidate, holder)
  registry.replace(asTunnelId('t2'), [makeLine('r1', 't2', 'shop')])
  picker.release(candidate, holder)
  expect(picked('shop')).toBe('shop')
})

it('takes the lines of a removed alias away from a service, and gives them to a new service of that name', () => {
  const { registry, change, picked } = setUp(service('1', 'shop-eu', 'shop'))
  registry.replace(asTunnelId('t1'), [makeLine('r1', 't1', 'shop')])
  registry.replace(asTunnelId('t2'), [makeLine('r1', 't2', 'shop-eu')])
  change(service('1', 'shop-eu'))
  expect([picked('shop-eu'), picked('shop')]).toEqual(['shop-eu', 'shop'])
  change(service('2', 'shop'))
  expect([picked('shop-eu'), picked('shop')]).toEqual(['shop-eu', 'shop'])
})

it('unsubscribes when the picker is closed', () => {
  const { picker, listeners } = setUp(service('1', 'shop'))
  picker.close()
  expect(listeners.size).toBe(0)
})
