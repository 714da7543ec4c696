// Tests which tunnels share an account, the default limits, and the log message about an account over its budget.

import { type LogFields, type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { asTokenId } from '../common/ids/row-ids.ts'
import { asTunnelId } from '../registry/line-ids.ts'
import { HeldBudgets, type HeldLimits, heldLimits, holderDigest } from './held-budgets.ts'

const MIB = 2 ** 20
const LIMITS: HeldLimits = { tunnelBytes: 100, tokenBytes: 150, replicaBytes: 400 }
const own = (id: string) => ({ kind: 'own', id: asTokenId(id) }) as const

function setUp(limits = LIMITS) {
  const clock = new ManualClock()
  const lines: (LogFields | undefined)[] = []
  const log: Logger = { ...silentLogger, warn: (_, fields) => lines.push(fields) }
  return { budgets: new HeldBudgets({ limits, clock, log }), clock, lines }
}

it('derives the default limits from the memory of the process, up to an upper bound', () => {
  const inMib = ({ tunnelBytes, tokenBytes, replicaBytes }: HeldLimits) =>
    [tunnelBytes, tokenBytes, replicaBytes].map(bytes => bytes / MIB)
  expect(inMib(heldLimits(24_000 * MIB))).toEqual([320, 640, 12_000])
  expect(inMib(heldLimits(2048 * MIB))).toEqual([256, 512, 1024])
  expect(inMib(heldLimits(512 * MIB))).toEqual([64, 128, 256])
  // A limit that is set applies as it is; the default limits of the accounts below it are derived from it.
  expect(inMib(heldLimits(24_000 * MIB, { tokenBytes: 100 * MIB }))).toEqual([50, 100, 12_000])
  expect(inMib(heldLimits(512 * MIB, { tunnelBytes: 500 * MIB, tokenBytes: 600 * MIB }))).toEqual([
    500, 600, 256,
  ])
})

it('gives the tunnels of one token a shared account, and each other token its own', () => {
  const { budgets } = setUp()
  const [one, two, other] = [
    budgets.ofTunnel(asTunnelId('t1'), own('a')),
    budgets.ofTunnel(asTunnelId('t2'), own('a')),
    budgets.ofTunnel(asTunnelId('t3'), own('b')),
  ]
  one.add(90)
  expect([one.full, two.full, other.full]).toEqual([false, false, false])
  two.add(61)
  expect([one.full, two.full, other.full]).toEqual([true, true, false])
  one.add(-90)
  expect(two.full).toBe(false)
})

it('gives a token of an outside issuer its own account, even with the id of one of our tokens', () => {
  const { budgets } = setUp()
  const outside = { kind: 'outside', issuer: 'https://issuer.test', subject: 'a', id: 'a' } as const
  const [ours, theirs] = [
    budgets.ofTunnel(asTunnelId('t1'), own('a')),
    budgets.ofTunnel(asTunnelId('t2'), outside),
  ]
  ours.add(90)
  budgets.ofTunnel(asTunnelId('t3'), own('a')).add(90)
  expect([ours.full, theirs.full]).toEqual([true, false])
})

it('counts a tunnel of another replica in the account of its token, together with local tunnels', () => {
  const { budgets } = setUp()
  const line = { tunnelId: asTunnelId('far'), telephone: 'device', holder: holderDigest(own('a')) }
  const remote = budgets.ofRemote(line)
  expect(budgets.ofRemote(line)).toBe(remote)
  budgets.ofTunnel(asTunnelId('t1'), own('a')).add(90)
  remote.add(61)
  expect(remote.full).toBe(true)
  // When the other replica does not send the holder, each of its tunnels has an account of its own.
  const unknown = (tunnelId: string) =>
    budgets.ofRemote({ tunnelId: asTunnelId(tunnelId), telephone: 'device' })
  unknown('far-1').add(90)
  unknown('far-2').add(90)
  expect([unknown('far-1').full, unknown('far-2').full]).toEqual([false, false])
})

it('keeps the sum of all accounts within the budget of the replica', () => {
  const { budgets } = setUp()
  const tunnels = ['a', 'b', 'c', 'd', 'e'].map(id => budgets.ofTunnel(asTunnelId(id), own(id)))
  for (const tunnel of tunnels.slice(0, 4)) tunnel.add(100)
  expect(tunnels[4]!.full).toBe(false)
  tunnels[4]!.add(1)
  expect(tunnels.every(({ full }) => full)).toBe(true)
  expect(budgets.replica.heldBytes).toBe(401)
})

it('logs the reset streams with their token and tunnel, at most once in ten seconds', () => {
  const { budgets, clock, lines } = setUp({ tunnelBytes: 100, tokenBytes: 1000, replicaBytes: 10_000 })
  const account = budgets.ofTunnel(asTunnelId('t1'), own('a'))
  const stream = () => ({
    heldBytes: 0,
    nextHolder: undefined,
    previousHolder: undefined,
    collectStreams(streams: unknown[]) {
      streams.push(this)
    },
    collectSessions: () => undefined,
    evict() {
      account.charge(this, -this.heldBytes)
    },
  })
  const overrun = () => {
    account.charge(stream(), 101)
    account.enforce()
  }
  for (let count = 0; count < 3; count += 1) overrun()
  expect(lines).toMatchObject([{ code: 'over_budget', tokenId: 'a', tunnelId: 't1', bytes: 101, count: 1 }])
  clock.advance(10_000)
  overrun()
  expect(lines[1]).toMatchObject({ count: 3 })
})
