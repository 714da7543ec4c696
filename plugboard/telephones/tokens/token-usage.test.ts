import type { TokenLimits } from '@vera-stack/shared/claims.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { asTokenId } from '../../common/ids/row-ids.ts'
import { TunnelCounts } from '../../registry/tunnel-counts.ts'
import type { Credential } from './authenticate.ts'
import { announcedLength, TokenUsage } from './token-usage.ts'

let clock: ManualClock
let counts: TunnelCounts
let usage: TokenUsage

beforeEach(() => {
  clock = new ManualClock()
  counts = new TunnelCounts()
  usage = new TokenUsage({ defaults: { tunnels: 3, claims: 7, announcementsPerMinute: 4 }, counts, clock })
})

function credential(id: string, limits: TokenLimits = {}, subject?: string): Credential {
  const own = { kind: 'own', id: asTokenId(id) } as const
  const outside = { kind: 'outside', issuer: 'https://id.test', subject: subject ?? '', id } as const
  return {
    token: subject === undefined ? own : outside,
    subject: subject ?? id,
    services: ['*'],
    mounts: ['*'],
    limits,
    expiresAtMs: 0,
    kid: undefined,
  }
}

function refusal(work: () => unknown): [string, string] | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof VeraError) return [error.code, error.message]
    throw error
  }
}

describe('tunnels', () => {
  it('have the limit of the token or the default limit, separately for each token', () => {
    for (const each of [credential('a'), credential('b', { tunnels: 5 })]) {
      let opened = 0
      while (refusal(() => usage.admit(each)) === undefined) {
        usage.opened(each)
        opened += 1
      }
      expect(opened).toBe(each.limits.tunnels ?? 3)
    }
    expect(refusal(() => usage.admit(credential('a')))).toEqual([
      'token_tunnel_limit',
      'Token a has its limit of 3 tunnels open. Close some, or raise the limit (token issue --max-tunnels, tokenMaxTunnels).',
    ])
    expect(usage.refusals.tunnels).toBe(3)
  })

  it('of one subject of an outside issuer count together, even with different token ids', () => {
    for (const id of ['1', '2', '3']) usage.opened(credential(id, {}, 'device'))
    expect(refusal(() => usage.admit(credential('4', {}, 'device')))?.[0]).toBe('token_tunnel_limit')
    expect(refusal(() => usage.admit(credential('1')))).toBeUndefined()
  })

  it('of other replicas count', () => {
    const token = credential('a')
    usage.opened(token)
    const [key = ''] = counts.ownHolders()
    expect(key).not.toContain('a')
    counts.setRemote(asReplicaId('r2'), key, 2)
    expect([usage.tunnelsOf('a'), refusal(() => usage.admit(token))?.[0]]).toEqual([3, 'token_tunnel_limit'])
    counts.forgetRemote(asReplicaId('r2'))
    expect(refusal(() => usage.admit(token))).toBeUndefined()
  })

  it('that drain do not count, but a holder has at most twice its limit together with them', () => {
    const token = credential('a', { tunnels: 1 })
    usage.opened(token)
    usage.left(token)
    expect(refusal(() => usage.admit(token))).toBeUndefined()
    usage.opened(token)
    usage.left(token)
    expect(refusal(() => usage.admit(token))?.[0]).toBe('token_tunnel_limit')
    usage.closed(token)
    expect(refusal(() => usage.admit(token))).toBeUndefined()
  })
})

describe('announcements', () => {
  it('may come at once up to the number of one minute, and wait for their turn after that', () => {
    const token = credential('a')
    const waits = Array.from({ length: 6 }, () => usage.reserve(token, 60_000))
    expect(waits).toEqual([0, 0, 0, 0, 15_000, 30_000])
    expect(usage.reserve(credential('b'), 0)).toBe(0)
    clock.advance(30_000)
    expect(refusal(() => usage.reserve(token, 0))?.[0]).toBe('token_announcement_limit')
    clock.advance(15_000)
    expect(usage.reserve(token, 0)).toBe(0)
  })

  it('are refused without a place when they would wait for too long', () => {
    const token = credential('a')
    for (let taken = 0; taken < 4; taken += 1) usage.reserve(token, 0)
    for (let again = 0; again < 3; again += 1) {
      expect(refusal(() => usage.reserve(token, 14_999))).toEqual([
        'token_announcement_limit',
        'Token a has sent its limit of 4 announcements and renewals within a minute. Try again later, send fewer, or raise the limit (token issue --max-announcements, tokenMaxAnnouncements).',
      ])
    }
    expect([usage.reserve(token, 15_000), usage.refusals.announcements]).toEqual([15_000, 3])
  })

  it('keep their rate when the tunnel closes and another one opens', () => {
    const token = credential('a')
    usage.opened(token)
    for (let taken = 0; taken < 4; taken += 1) usage.reserve(token, 0)
    usage.left(token)
    usage.closed(token)
    usage.opened(token)
    expect(refusal(() => usage.reserve(token, 0))?.[0]).toBe('token_announcement_limit')
  })

  it('hold a bounded amount of memory for one token', () => {
    const token = credential('a')
    const labels = Object.fromEntries(
      Array.from({ length: 64 }, (_, index) => [`${index}`.padEnd(63, 'k'), 'v'.repeat(255)]),
    )
    const service = { service: 'web', health: 'up', weight: 100, version: '', labels } as const
    const length = announcedLength(Array.from({ length: 100 }, () => service))
    expect(length).toBeGreaterThan(100 * 64 * (63 + 255))
    let tunnels = 0
    while (refusal(() => usage.hold(token, length, 0)) === undefined) tunnels += 1
    expect(tunnels * length).toBeLessThanOrEqual(8 * 1024 * 1024)
    expect((tunnels + 1) * length).toBeGreaterThan(8 * 1024 * 1024)
    const [code, text] = refusal(() => usage.hold(token, length, 0)) ?? []
    expect([code, text]).toEqual([
      'token_announcement_limit',
      expect.stringContaining('of token a would take'),
    ])
    // Accepts the same length again, a smaller one, and one of another token.
    usage.hold(token, length, length)
    usage.hold(credential('b'), length, 0)
    usage.hold(token, 0, length)
    usage.hold(token, length, 0)
  })
})

describe('claims', () => {
  it('of one token run one after the other, even after a failure, and in parallel with claims of other tokens', async () => {
    const order: string[] = []
    const gates = [0, 1].map(() => Promise.withResolvers<void>())
    const claim = (token: Credential, name: string, gate?: Promise<void>): Promise<void> =>
      usage.claim(token, async () => {
        order.push(`${name} begins`)
        await gate
        order.push(`${name} ends`)
        if (name === 'first') throw new VeraError('token_claim_limit')
      })
    const token = credential('a')
    const first = claim(token, 'first', gates[0]?.promise)
    const second = claim(token, 'second', gates[1]?.promise)
    await claim(credential('b'), 'other')
    gates[0]?.resolve()
    await expect(first).rejects.toMatchObject({ code: 'token_claim_limit' })
    gates[1]?.resolve()
    await second
    expect(order).toEqual([
      'first begins',
      'other begins',
      'other ends',
      'first ends',
      'second begins',
      'second ends',
    ])
    expect(usage.refusals.claims).toBe(1)
  })

  it('have the limit of the token, or the default', () => {
    expect(usage.limitsOf(credential('a')).claims).toBe(7)
    expect(usage.limitsOf(credential('a', { claims: 0 })).claims).toBe(0)
  })
})
