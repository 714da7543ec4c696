// Sticky sessions on two real replicas (acceptance test T6): a session stays with its telephone on the other replica, over a restart of
// the telephone and when its weight is 0, and moves when the telephone is ejected. The long form, `npm run soak -- sticky-moves`,
// repeats this for a minute with more sessions.

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { EjectionsBody, MatchBody } from '../../plugboard/admin/api-types.ts'
import { connect, type TelephoneHandle } from '../../telephone/index.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { FailingBackend } from '../support/programs/ejection-service.ts'
import { HOST, SERVICE } from '../support/programs/stack.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const SESSIONS = SOAK_MS > 0 ? 100 : 12
const REPLICAS = [0, 1]
const NAMES = ['one', 'two', 'three'] as const
type Name = (typeof NAMES)[number]

/** The cookie of a client, and the telephone that has responded to its first request. */
interface Session {
  readonly cookie: string
  readonly telephone: string
}

const cluster = useCluster(2, { replicaArgs: ['--no-access-log'] })
const backends = new Map<Name, FailingBackend>()
const telephones = new Map<Name, TelephoneHandle>()

/** Connects the telephone, and resolves when both replicas use this process of it alone. */
async function start(name: Name, weight: number): Promise<void> {
  const telephone = await connect({
    plugboard: cluster.replicas[0]!.url,
    token: cluster.token,
    name,
    service: SERVICE,
    target: backends.get(name)!.port,
    weight,
    onEvent: () => undefined,
  })
  telephones.set(name, telephone)
  for (const index of REPLICAS)
    await eventually(`replica ${index + 1} uses ${name}`, () => isCurrent(name, weight, index))
}

async function isCurrent(name: Name, weight: number, index: number): Promise<true | undefined> {
  const { lines } = await cluster.replicas[index]!.call<MatchBody>('GET', `/v1/match?host=${HOST}`)
  const own = lines.items.filter(({ telephone }) => telephone === name)
  const states = own.map(({ state }) => state)
  const wanted = weight === 0 ? 'no_weight' : 'serving'
  const isOne = new Set(own.map(({ instance }) => instance)).size === 1
  return (
    (isOne && own.every(line => line.weight === weight) && states.every(each => each === wanted)) || undefined
  )
}

async function restart(name: Name, weight: number): Promise<void> {
  await telephones.get(name)!.close()
  await start(name, weight)
}

beforeAll(async () => {
  await cluster.untilLinked()
  const policy = {
    sticky: { cookie: {} },
    balancing: 'round_robin',
    outlier: { ejectMs: 3_600_000, maxEjectMs: 3_600_000 },
  }
  await cluster.replicas[0]!.call('PATCH', `/v1/services/${SERVICE}`, { policy })
  for (const name of NAMES) {
    backends.set(name, await new FailingBackend(200, name).listen())
    await start(name, 100)
  }
}, 60_000)
afterAll(async () => {
  await Promise.all([...telephones.values()].map(telephone => telephone.close(0)))
  await Promise.all([...backends.values()].map(backend => backend.close()))
})

/** Sends one request. Resolves with the session after it. */
async function request(index: number, cookie?: string): Promise<Session & { status: number }> {
  const headers = cookie === undefined ? {} : { cookie }
  const response = await send({ port: cluster.places[index]!.port, host: HOST, headers })
  const received = response.headers['set-cookie']?.[0]?.split(';')[0]
  return { status: response.status, cookie: received ?? cookie ?? '', telephone: response.text }
}

const newSessions = () => Promise.all(Array.from({ length: SESSIONS }, (_, count) => request(count % 2)))
const on = (sessions: readonly Session[], name: Name) =>
  sessions.filter(({ telephone }) => telephone === name)

/** Sends a request of each session to one replica. Resolves with the sessions that have moved, or got no 200. */
async function moved(sessions: readonly Session[], index: number): Promise<Session[]> {
  const after = await Promise.all(sessions.map(({ cookie }) => request(index, cookie)))
  return sessions.filter((before, count) => {
    const { status, cookie, telephone } = after[count]!
    return status !== 200 || cookie !== before.cookie || telephone !== before.telephone
  })
}

async function untilEjected(name: Name, { cookie }: Session): Promise<void> {
  await eventually(`${name} is ejected`, async () => {
    await request(0, cookie)
    const { items } = await cluster.replicas[0]!.call<EjectionsBody>('GET', '/v1/ejections')
    return items.some(({ telephone, state }) => telephone === name && state === 'ejected') || undefined
  })
}

const kept = { changeOfReplica: 0, restart: 0, weight: 0 }
let movedByEjection = 0
let rounds = 0

async function round(): Promise<void> {
  const sessions = await newSessions()
  for (const name of NAMES) expect(on(sessions, name).length).toBeGreaterThan(0)
  for (const index of REPLICAS) {
    expect(await moved(sessions, index)).toEqual([])
    kept.changeOfReplica += sessions.length
  }
  await restart('one', 100)
  for (const index of REPLICAS) {
    expect(await moved(sessions, index)).toEqual([])
    kept.restart += sessions.length
  }
  await restart('one', 0)
  expect(on(await newSessions(), 'one')).toEqual([])
  for (const index of REPLICAS) {
    expect(await moved(sessions, index)).toEqual([])
    kept.weight += sessions.length
  }
  await restart('one', 100)

  const bound = on(sessions, 'one')
  backends.get('one')!.status = 503
  await untilEjected('one', bound[0]!)
  const others = sessions.filter(session => !bound.includes(session))
  expect(await moved(others, 0)).toEqual([])
  const after = await Promise.all(bound.map(({ cookie }) => request(0, cookie)))
  for (const { status, telephone } of after)
    expect([status, ['two', 'three']]).toEqual([200, expect.arrayContaining([telephone])])
  backends.get('one')!.status = 200
  await restart('one', 100)
  // The client has a session with another telephone now.
  for (const index of REPLICAS) expect(await moved(after, index)).toEqual([])
  movedByEjection += after.length
  rounds += 1
}

it('a session is kept on another replica, over a restart and with weight 0, and moves with an ejection', async () => {
  const endMs = performance.now() + SOAK_MS
  do await round()
  while (performance.now() < endMs)
  printFigures({ rounds, kept, movedByEjection })
})
