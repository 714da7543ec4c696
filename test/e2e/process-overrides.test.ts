// Operators steer telephone processes while requests run, on three real replicas: a drained process gets no new request on any replica,
// and no request fails; an ejected one returns by itself; an undo resumes it; an override ends with its process. The long form,
// `npm run soak -- process-overrides`, sends more requests while a process is drained.

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ProcessOverrideBody, ServiceProcessesBody } from '../../plugboard/admin/api-types.ts'
import { connect, type TelephoneHandle } from '../../telephone/index.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { FailingBackend } from '../support/programs/ejection-service.ts'
import { HOST, SERVICE } from '../support/programs/stack.ts'
import { SOAK_MS } from '../support/soak.ts'

const REPLICAS = [0, 1, 2]
const NAMES = ['one', 'two', 'three'] as const
/** Requests on each replica after a change. They must not reach a process that was stopped. */
const AFTER = 40

const cluster = useCluster(3, { replicaArgs: ['--no-access-log'] })
const backends = new Map<string, FailingBackend>()
const telephones = new Map<string, TelephoneHandle>()
const cli = (...args: string[]) => cluster.replicas[0]!.cli('process', ...args)

async function start(name: string): Promise<void> {
  const telephone = await connect({
    plugboard: cluster.replicas[0]!.url,
    token: cluster.token,
    name,
    service: SERVICE,
    target: backends.get(name)!.port,
    onEvent: () => undefined,
  })
  telephones.set(name, telephone)
}

const read = (index: number) =>
  cluster.replicas[index]!.call<ServiceProcessesBody>('GET', `/v1/services/${SERVICE}/processes`)

/** Resolves when each replica has the process in this state, on all replicas. */
async function untilState(name: string, state: string): Promise<void> {
  for (const index of REPLICAS) {
    await eventually(`replica ${index + 1} shows ${name} as ${state}`, async () => {
      const process = (await read(index)).items.find(({ telephone }) => telephone === name)
      const all = process?.replicas.length === REPLICAS.length
      return (all && process.replicas.every(row => row.state === state)) || undefined
    })
  }
}

/** Sends requests on all replicas until it is stopped. Resolves with the statuses that are not 200. */
function load() {
  let isRunning = true
  let sent = 0
  const failed: number[] = []
  const client = async (index: number) => {
    while (isRunning) {
      const { status } = await send({ port: cluster.places[index]!.port, host: HOST, path: '/' })
      sent += 1
      if (status !== 200) failed.push(status)
    }
  }
  const clients = REPLICAS.map(client)
  return {
    sent: () => sent,
    stop: async () => {
      isRunning = false
      await Promise.all(clients)
      return failed
    },
  }
}

/** Sends requests on each replica. Resolves with the number that the process got. */
async function received(name: string): Promise<number> {
  const backend = backends.get(name)!
  const before = backend.received
  for (const index of REPLICAS) {
    for (let count = 0; count < AFTER; count += 1) {
      expect((await send({ port: cluster.places[index]!.port, host: HOST, path: '/' })).status).toBe(200)
    }
  }
  return backend.received - before
}

beforeAll(async () => {
  await cluster.untilLinked()
  await cluster.replicas[0]!.call('PATCH', `/v1/services/${SERVICE}`, {
    policy: { balancing: 'round_robin' },
  })
  for (const name of NAMES) {
    backends.set(name, await new FailingBackend(200, name).listen())
    await start(name)
  }
  for (const name of NAMES) await untilState(name, 'serving')
}, 90_000)
afterAll(async () => {
  await Promise.all([...telephones.values()].map(telephone => telephone.close(0)))
  await Promise.all([...backends.values()].map(backend => backend.close()))
})

it('a drain under load fails no request, and the process gets no new one on any replica', async () => {
  const running = load()
  await eventually('requests run', () => running.sent() > 30 || undefined)
  const { code, output } = await cli('drain', SERVICE, 'two', '--reason', 'test')
  expect([code, output]).toEqual([0, expect.stringContaining('draining by')])
  await untilState('two', 'draining')
  const before = backends.get('two')!.received
  const sent = running.sent()
  const more = SOAK_MS > 0 ? SOAK_MS / 5 : 150
  await eventually('further requests run', () => running.sent() > sent + more || undefined)
  expect(backends.get('two')!.received).toBe(before)
  expect(await running.stop()).toEqual([])
  const replica = cluster.replicas[1]!
  expect((await cli('list')).output).toMatch(/app +two +\S+ +draining by \S+/)
  expect((await replica.cli('service', 'show', SERVICE)).output).toMatch(/ two +draining by \S+/)
  expect((await replica.cli('telephone', 'list')).output).toMatch(/two +app \(draining by /)
  expect((await replica.cli('status')).output).toContain('processes with an override (1)')
})

it('an undo of the drain resumes the process', async () => {
  const { items } = await cluster.replicas[1]!.call<{ items: { sequence: number }[] }>(
    'GET',
    '/v1/changes?entity=process_override&limit=1',
  )
  await cluster.replicas[1]!.call('POST', `/v1/changes/${items[0]!.sequence}/undo`)
  await untilState('two', 'serving')
  expect(await received('two')).toBeGreaterThan(AFTER / 2)
})

it('an ejected process gets no request, and returns by itself', async () => {
  expect((await cli('eject', SERVICE, 'three', '--for', '4s')).code).toBe(0)
  await untilState('three', 'ejected')
  await untilState('three', 'serving')
  expect(await received('three')).toBeGreaterThan(AFTER / 2)
})

it('the last process is neither drained nor ejected without --force', async () => {
  for (const name of ['one', 'two']) expect((await cli('drain', SERVICE, name)).code).toBe(0)
  for (const name of ['one', 'two']) await untilState(name, 'draining')
  const refused = await cli('drain', SERVICE, 'three')
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('last process')])
  for (const name of ['one', 'two']) expect((await cli('resume', SERVICE, name)).code).toBe(0)
  for (const name of ['one', 'two']) await untilState(name, 'serving')
})

it('an override ends with its process: a new start of the telephone serves', async () => {
  expect((await cli('weight', SERVICE, 'one', '0')).code).toBe(0)
  await untilState('one', 'draining')
  const { items } = await cluster.replicas[0]!.call<{ items: ProcessOverrideBody[] }>('GET', '/v1/overrides')
  expect(items.some(({ telephone, weight }) => telephone === 'one' && weight === 0)).toBe(true)
  await telephones.get('one')!.close(0)
  await start('one')
  await untilState('one', 'serving')
  expect(await received('one')).toBeGreaterThan(AFTER / 2)
  const unknown = await cli('drain', SERVICE, 'nobody')
  expect([unknown.code, unknown.output]).toEqual([1, expect.stringContaining('plugboard service show')])
})
