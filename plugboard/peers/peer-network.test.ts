import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import { linkedPair, PeerNode } from '../../test/support/harness/peer-node.ts'
import { Relay } from '../../test/support/http/relay.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { LEASE_MS } from './peer.ts'

const until = (what: string, condition: () => boolean) =>
  eventually(what, () => (condition() ? true : undefined))
/** Waits for addresses without a response to a query, and returns them. */
const missingFrom = (node: PeerNode) =>
  eventually('an address is missing', async () => {
    const { missing } = await node.network.query('telephones', {})
    return missing.length > 0 ? missing : undefined
  })
const seen = (node: PeerNode, id: string) => node.network.replicas().find(row => row.id === id)

it('sends added and removed lines to all other replicas', async () => {
  const { a, b } = await linkedPair()
  const c = await PeerNode.listen('c')
  c.dial(a.address, b.address)
  a.serve('web', 'shop')
  for (const node of [b, c]) await node.knows('web', 1)
  expect(b.linesOf('web')).toEqual(a.linesOf('web'))
  b.serve('web')
  await c.knows('web', 2)
  a.serve('shop')
  for (const node of [b, c]) await node.knows('web', 1)
  expect(seen(c, 'a')).toMatchObject({ linked: true, lines: 1 })
})

it('works over one link when only one side can dial', async () => {
  const [a, b] = [await PeerNode.listen('a'), await PeerNode.listen('b')]
  a.dial(b.address)
  b.dial()
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a', {}, true)
  const far = await a.arrived()
  far.stream.respond({ status: 204, statusText: '', fields: [] })
  far.stream.end()
  await until('the answer comes', () => near.ended)
  expect(seen(b, 'a')).toMatchObject({ linked: true, dialed: false })
})

it('opens no link to its own address in the list', async () => {
  const a = await PeerNode.listen('a')
  a.dial(`localhost:${a.port}`)
  await until('it has dialled', () => a.network.synced)
  expect(a.network.replicas()).toEqual([])
})

it('opens no link to a replica with another secret', async () => {
  const [a, b] = [await PeerNode.listen('a'), await PeerNode.listen('b', { secrets: ['another secret'] })]
  a.dial(b.address)
  expect(await missingFrom(a)).toEqual([{ id: b.address, reason: 'it responded with status 401' }])
  expect([a.network.replicas(), b.network.replicas()]).toEqual([[], []])
})

it('can open links at each step of a rotation of the secret', async () => {
  const [older, newer] = ['the older secret', 'the newer secret']
  // Add the new secret on each side; then put it first on each side; then remove the old one.
  for (const [left, right] of [
    [[older], [older, newer]],
    [
      [older, newer],
      [newer, older],
    ],
    [[newer], [newer, older]],
  ] as const) {
    const [a, b] = [
      await PeerNode.listen('a', { secrets: left }),
      await PeerNode.listen('b', { secrets: right }),
    ]
    a.dial(b.address)
    b.dial(a.address)
    await until('both have dialled', () => seen(a, 'b')?.dialed === true && seen(b, 'a')?.dialed === true)
    await Promise.all([a.stop(), b.stop()])
  }
})

it('opens no link to a far end that responds without the secret', async () => {
  // The far end accepts every dial but cannot authenticate itself, so a replica of another cluster behind it is not linked.
  const [a, b] = [await PeerNode.listen('a'), await PeerNode.listen('b', { secrets: ['another secret'] })]
  b.dial(a.address)
  expect(await missingFrom(b)).toHaveLength(1)
  expect(a.network.replicas()).toEqual([])
})

it('uses the highest version that both replicas support', async () => {
  const { a, b } = await linkedPair({ versions: [1, 2] }, { versions: [1, 1] })
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a', {}, true)
  const far = await a.arrived()
  far.stream.respond({ status: 200, statusText: '', fields: [] })
  far.stream.end()
  await until('the answer comes', () => near.ended)
})

it('uses no line of an unreachable replica, removes its lines within 3 s, and adds them again after a reconnect', async () => {
  const STEP_MS = 50
  const clock = new ManualClock()
  /** Advances the clock in short steps, between which the sockets work, until `condition` is true. Returns the time in ms. */
  const passes = async (what: string, condition: () => boolean): Promise<number> => {
    const startMs = clock.now()
    await until(what, () => {
      if (condition()) return true
      clock.advance(STEP_MS)
      return false
    })
    return clock.now() - startMs
  }
  const [a, b] = [await PeerNode.listen('a', { clock }), await PeerNode.listen('b', { clock })]
  const relay = await Relay.listen({ targetPort: a.port })
  try {
    a.dial()
    b.dial(`127.0.0.1:${relay.port}`)
    a.serve('web')
    const served = (lines: number) => () => b.linesOf('web').length === lines
    await passes('b has the line', served(1))
    const upstream = b.wayTo('a')
    expect(upstream.canOpen).toBe(true)
    relay.refuse(true)
    relay.cut()
    await until('the loss of the link is detected', () => !upstream.canOpen)
    expect(() => b.open('a')).toThrow('refused')
    expect(await passes('the line is dropped', served(0))).toBeLessThanOrEqual(LEASE_MS + STEP_MS)
    relay.refuse(false)
    await passes('the line is back', served(1))
    expect(upstream.canOpen).toBe(true)
    // A silent link counts as lost too.
    relay.blackhole(true)
    await passes('the silence is detected', () => !upstream.canOpen)
    await passes('the line is dropped again', served(0))
  } finally {
    await relay.close()
  }
})

describe('a process that was suspended', () => {
  /** Returns a clock that jumps once, as after a suspension, and then stands still, so that no recovery times out. */
  function jumpingClock() {
    let standsAtMs: number | undefined
    const clock: Clock = { ...systemClock, now: () => standsAtMs ?? systemClock.now() }
    const jump = (ms: number): void => {
      standsAtMs = systemClock.now() + ms
    }
    return { clock, jump }
  }

  it('is ready again when its open links are confirmed alive', async () => {
    const { clock, jump } = jumpingClock()
    const { b } = await linkedPair({}, { clock })
    expect(b.network.recovery.underWay).toBe(false)
    jump(1900)
    expect(b.network.recovery.underWay).toBe(true)
    await until('it is in doubt no more', () => !b.network.recovery.underWay)
    expect(seen(b, 'a')).toMatchObject({ linked: true, inSync: true })
  })

  it('dials replicas that have closed their link at once, and has their lines when its recovery ends', async () => {
    const { clock, jump } = jumpingClock()
    const [a, b] = [await PeerNode.listen('a'), await PeerNode.listen('b', { clock })]
    const relay = await Relay.listen({ targetPort: a.port })
    try {
      a.dial()
      // The list also contains its own address, as with a headless service. That address is not dialled again soon.
      b.dial(`127.0.0.1:${relay.port}`, `localhost:${b.port}`)
      a.serve('web')
      await b.knows('web', 1)
      relay.cut()
      jump(15_000)
      expect(b.network.recovery.underWay).toBe(true)
      await until('it is back', () => !b.network.recovery.underWay)
      expect([b.linesOf('web').length, b.wayTo('a').canOpen]).toEqual([1, true])
    } finally {
      await relay.close()
    }
  })

  it('does not wait for replicas that have stopped', async () => {
    const { clock, jump } = jumpingClock()
    const { a, b } = await linkedPair({}, { clock })
    const c = await PeerNode.listen('c')
    c.dial(b.address)
    await until('three are linked', () => seen(b, 'c')?.inSync === true)
    await a.stop()
    await until('the link is closed', () => seen(b, 'a')?.linked === false)
    jump(2000)
    await until('it is back', () => !b.network.recovery.underWay)
    expect(seen(b, 'c')).toMatchObject({ linked: true })
  })
})

it('starts over with a newer incarnation of a replica, and uses the older one no more', async () => {
  const [old, b] = [await PeerNode.listen('a', { startedAtMs: 1000 }), await PeerNode.listen('b')]
  old.dial(b.address)
  b.dial()
  old.serve('web', 'shop')
  await b.knows('shop', 1)
  const young = await PeerNode.listen('a', { startedAtMs: 2000 })
  young.serve('web')
  young.dial(b.address)
  await b.knows('shop', 0)
  await b.knows('web', 1)
  const near = b.open('a', {}, true)
  await young.arrived()
  near.stream.reset('cancelled')
  expect(old.tunnel.acceptor.accepted).toEqual([])
})

it('accepts a restarted replica whose clock was set back', async () => {
  const [before, b] = [await PeerNode.listen('a', { startedAtMs: 2000 }), await PeerNode.listen('b')]
  b.dial()
  before.dial(b.address)
  before.serve('shop')
  await b.knows('shop', 1)
  before.network.leave()
  await before.stop()
  await b.knows('shop', 0)
  const after = await PeerNode.listen('a', { startedAtMs: 1000 })
  after.serve('web')
  after.dial(b.address)
  await b.knows('web', 1)
  b.open('a', {}, true)
  await after.arrived()
})

it('dials rarely, and logs the reason once, when a newer replica uses its name', async () => {
  const errors: string[] = []
  const logger = (): Logger => ({
    ...silentLogger,
    error: (message, fields) => void errors.push(`${message} ${fields?.address}`),
    child: logger,
  })
  const patient = Promise.withResolvers<void>()
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, task) => {
      // The dialer waits this long before the next dial.
      if (delayMs >= 5000 && delayMs <= 7000) patient.resolve()
      return systemClock.after(delayMs, task)
    },
  }
  const [b, young] = [await PeerNode.listen('b'), await PeerNode.listen('a', { startedAtMs: 2000 })]
  const old = await PeerNode.listen('a', { startedAtMs: 1000, clock, log: logger() })
  b.dial()
  young.dial(b.address)
  young.serve('web')
  await b.knows('web', 1)
  old.dial(b.address)
  await patient.promise
  expect(errors).toEqual([
    `another replica uses the name of this one; give each replica its own name ${b.address}`,
  ])
  expect(b.linesOf('web')).toHaveLength(1)
})

it('lets streams finish when a replica leaves, and removes its lines at once', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a')
  const far = await a.arrived()
  a.network.leave()
  await until('the report has arrived', () => seen(b, 'a')?.report?.state === 'leaving')
  expect(b.wayTo('a').canOpen).toBe(true)
  a.serve()
  await b.knows('web', 0)
  const stopped = a.network.stop(10_000)
  await until('no new streams', () => !b.wayTo('a').canOpen)
  far.stream.respond({ status: 200, statusText: '', fields: [] })
  far.stream.write(Buffer.from('the end'))
  far.stream.end()
  near.stream.end()
  await until('the response is complete', () => near.ended)
  await stopped
  expect([near.body.toString(), near.aborted]).toEqual(['the end', undefined])
})
