import { expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asReplicaId, type ReplicaId } from '../../common/ids/replica-id.ts'
import { HealthProber } from './health-prober.ts'
import type { CheckResult } from './outliers.ts'

/** A prober of the replica `r1`. Another replica responds with `respond`. */
function proberOf(
  respond: (query: string, params: object) => Promise<unknown>,
  local: { result: CheckResult } = { result: 'up' },
) {
  const probed: string[] = []
  const asked: ReplicaId[] = []
  const prober = new HealthProber({
    replicaId: asReplicaId('r1'),
    probeLocal: (tunnelId, service) => {
      probed.push(`${tunnelId}/${service}`)
      return tunnelId === 'closed' ? undefined : Promise.resolve(local.result)
    },
    query: (id, name, params) => {
      asked.push(id)
      return respond(name, params)
    },
  })
  return { prober, probed, asked }
}

const unused = () => expect.fail('no other replica is asked')

it('probes the telephone of a tunnel of this replica', async () => {
  const { prober, probed } = proberOf(unused, { result: 'down' })
  expect(await prober.probe(makeLine('r1', 't1', 'web'))).toBe('down')
  expect(await prober.probe(makeLine('r1', 'closed', 'web'))).toBeUndefined()
  expect(probed).toEqual(['t1/web', 'closed/web'])
})

it.each(['up', 'down', undefined] as const)('passes on the result %s of another replica', async result => {
  const there = proberOf(unused, { result })
  const here = proberOf(
    async (name, params) => JSON.parse(JSON.stringify(await there.prober.respond(name, params))) as unknown,
  )
  expect(await here.prober.probe(makeLine('r2', 't1', 'web'))).toBe(result)
  expect([here.asked, there.probed]).toEqual([['r2'], ['t1/web']])
})

it('responds to no other query, and rejects invalid parameters', () => {
  const { prober } = proberOf(unused)
  expect(prober.respond('telephones', {})).toBeUndefined()
  expect(() => prober.respond('probe', { tunnelId: 1 })).toThrow('tunnelId')
})

it.each([
  ['does not respond', () => Promise.reject(new Error('there is no link to it'))],
  ['responds with something else', () => Promise.resolve({ health: 'ill' })],
])('has no result when the other replica %s', async (_title, respond) => {
  const { prober } = proberOf(respond)
  expect(await prober.probe(makeLine('r2', 't1', 'web'))).toBeUndefined()
})

it('has a bounded number of open queries to one replica', async () => {
  const waiting: ((value: unknown) => void)[] = []
  const { prober, asked } = proberOf(() => new Promise(resolve => waiting.push(resolve)))
  const probes = Array.from({ length: 10 }, () => prober.probe(makeLine('r2', 't1', 'web')))
  const other = prober.probe(makeLine('r3', 't1', 'web'))
  expect(asked).toEqual(['r2', 'r2', 'r2', 'r2', 'r3'])
  for (const resolve of waiting) resolve({ health: 'up' })
  expect((await Promise.all(probes)).filter(result => result === 'up')).toHaveLength(4)
  expect(await other).toBe('up')
  void prober.probe(makeLine('r2', 't1', 'web'))
  expect(asked).toHaveLength(6)
})
