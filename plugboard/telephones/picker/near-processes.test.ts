// The policy `locality`: which processes serve on a replica with labels.

import { beforeEach, describe, expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import type { Line } from '../../registry/line.ts'
import { asTunnelId } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import { DEFAULT_SERVICE_POLICY } from '../../routes/options/service-policy.ts'
import type { Candidate } from '../pools/line-pool.ts'
import { LinePicker } from './line-picker.ts'

let registry: Registry
let picker: LinePicker

function usePicker(labels: Record<string, string>): void {
  registry = new Registry()
  const upstream = {
    canOpen: true,
    streamCount: 0,
    open: () => expect.fail('a picker must not open streams'),
  }
  picker = new LinePicker({ registry, labels, upstreamOf: () => upstream })
}

function announce(name: string, region: string, more: Partial<Line> = {}): void {
  const line = makeLine('r1', name, 'web', {
    telephone: name,
    instance: `instance-${name}`,
    labels: region === '' ? {} : { region },
    ...more,
  })
  registry.replace(asTunnelId(name), [line])
}

const policy = { ...DEFAULT_SERVICE_POLICY, balancing: 'round_robin', locality: { label: 'region' } } as const
const pick = (tried?: readonly Candidate[]) =>
  picker.pick({ service: 'web', policy, tried, preferred: undefined, client: '', key: undefined })

/** Returns the telephones that several requests reach. */
function reached(): string[] {
  const names = new Set<string>()
  for (let count = 0; count < 12; count += 1) {
    const picked = pick()
    names.add(typeof picked === 'string' ? picked : picked.line.telephone)
  }
  return [...names].sort()
}

const EU = ['eu-1', 'eu-2', 'eu-3', 'eu-4']
const US = ['us-1', 'us-2']

function connectAll(): void {
  for (const name of EU) announce(name, 'eu')
  for (const name of US) announce(name, 'us')
}

describe('a replica in the region eu', () => {
  beforeEach(() => {
    usePicker({ region: 'eu', zone: 'eu-1' })
    connectAll()
  })

  it('uses the processes of its region', () => {
    expect(reached()).toEqual(EU)
  })

  it('uses them alone while 70 % of them take requests, and then all', () => {
    announce('eu-1', 'eu', { health: 'down' })
    expect(reached()).toEqual(EU.slice(1))
    announce('eu-2', 'eu', { health: 'down' })
    expect(reached()).toEqual([...EU.slice(2), ...US])
    announce('eu-2', 'eu')
    expect(reached()).toEqual(EU.slice(1))
  })

  it('does not count a process with the weight 0', () => {
    announce('eu-1', 'eu', { weight: 0 })
    announce('eu-2', 'eu', { weight: 0 })
    expect(reached()).toEqual(EU.slice(2))
  })

  it('uses all processes when its region has none', () => {
    for (const name of EU) registry.replace(asTunnelId(name), [])
    expect(reached()).toEqual(US)
  })

  it('repeats a failed attempt in its region first', () => {
    for (let count = 0; count < 6; count += 1) {
      const first = pick() as Candidate
      const second = pick([first]) as Candidate
      expect(EU.filter(name => name !== first.line.telephone)).toContain(second.line.telephone)
    }
  })

  it('uses them in a pool of more than 16 processes too', () => {
    for (let index = 0; index < 20; index += 1) announce(`us-x${index}`, 'us')
    expect(reached()).toEqual(EU)
  })
})

it.each<[string, Record<string, string>]>([
  ['without labels', {}],
  ['without this label', { zone: 'eu-1' }],
])('a replica %s uses all processes', (_, labels) => {
  usePicker(labels)
  connectAll()
  announce('other', '')
  expect(reached()).toEqual([...EU, 'other', ...US])
})
