// Tests the refusals at the limits of a token, over real tunnels and with a real database.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { TunnelHarness } from '../../../test/support/harness/tunnel-harness.ts'
import { field, type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { findRoute } from '../../../test/support/postgres/find-route.ts'
import { asTokenId } from '../../common/ids/row-ids.ts'

let harness: TunnelHarness
let clock: ManualClock

beforeEach(async () => {
  clock = new ManualClock(1000, Date.now())
  // Pings must not fall due while the clock jumps, because their responses would be too late.
  const limits = { pingIntervalMs: 600_000, pingTimeoutMs: 1_800_000 }
  const tokenLimits = { tunnels: 2, claims: 2, announcementsPerMinute: 60 }
  harness = await TunnelHarness.start({ switchboard: { clock, limits, tokenLimits } })
})

afterEach(() => harness.close())

const dialRaw = (token: string): Promise<RawResponse> =>
  rawExchange(
    harness.port,
    [
      'GET /_plugboard/tunnel HTTP/1.1',
      'Host: any',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: plugboard.v1',
      `Authorization: Bearer ${token}`,
      '',
      '',
    ].join('\r\n'),
  )

const announcements = (telephone: FakeTelephone) =>
  telephone.controls.flatMap(message => (message.type === 'announced' ? [message] : []))

describe('tunnels', () => {
  it('over the limit get 429 with the reason and the time to wait, until one closes', async () => {
    const { id, token } = await harness.token()
    const telephones = [await harness.dial(token), await harness.dial(token)]
    const response = await dialRaw(token)
    expect([response.status, field(response.headers, 'retry-after')]).toEqual([429, '10'])
    expect(JSON.parse(response.body.toString())).toMatchObject({
      code: 'token_tunnel_limit',
      detail: expect.stringContaining(`Token ${id} has its limit of 2 tunnels open`),
    })
    // Another token has its own limit.
    await harness.dial((await harness.token()).token)
    telephones[0]?.session.close('going_away')
    await eventually('the tunnel is closed', () =>
      harness.switchboard.tunnels.tunnelCount === 2 ? true : undefined,
    )
    await harness.dial(token)
    expect(harness.switchboard.tokenRefusals.tunnels).toBe(1)
  })

  it('have the limit of the issued token, even above the default', async () => {
    const { token } = await harness.token({ limits: { tunnels: 3 } })
    for (let opened = 0; opened < 3; opened += 1) await harness.dial(token)
    expect((await dialRaw(token)).status).toBe(429)
    const { token: single } = await harness.token({ limits: { tunnels: 1 } })
    await harness.dial(single)
    expect((await dialRaw(single)).status).toBe(429)
  })

  it('can be replaced at the limit, because a draining tunnel does not count', async () => {
    const { token } = await harness.token({ limits: { tunnels: 1 } })
    const telephone = await harness.dial(token)
    await telephone.announce({ service: 'web', mount: 'app.test' })
    const response = rawExchange(harness.port, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    const call = await telephone.nextCall()
    const drained = telephone.session.drain(10_000)
    await eventually('it drains', () => (harness.switchboard.tunnels.tunnelCount === 0 ? true : undefined))
    await harness.dial(token)
    call.respond(200, 'whole')
    expect((await response).body.toString()).toBe('whole')
    await drained
  })

  it('stay within the limit when a telephone dials many at once', async () => {
    const { token } = await harness.token()
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => harness.dial(token)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    expect(harness.switchboard.tunnels.tunnelCount).toBe(2)
  })
})

describe('claims', () => {
  it('over the limit are refused one by one, with a code and a remedy, and earlier claims stay', async () => {
    const { id, token } = await harness.token()
    const telephone = await harness.dial(token)
    const services = ['a', 'b', 'c', 'd'].map(name => ({ service: name, mount: `${name}.test` }))
    const results = await telephone.announce(...services)
    expect(results.map(({ accepted, code }) => [accepted, code])).toEqual([
      [true, undefined],
      [true, undefined],
      [false, 'token_claim_limit'],
      [false, 'token_claim_limit'],
    ])
    expect(results[2]?.detail).toContain(`Token ${id} has claimed all 2 routes of its limit. Delete routes`)
    expect(harness.switchboard.tokenRefusals.claims).toBe(2)
    const again = await telephone.announce(...services.slice(0, 2))
    expect(again.map(({ accepted }) => accepted)).toEqual([true, true])
  })

  it('stop when the tunnel closes', async () => {
    const { store } = harness.database
    const { id, token } = await harness.token({ limits: { claims: 1000 } })
    const telephone = await harness.dial(token)
    const announced = { health: 'up', weight: 100, version: '', labels: {} } as const
    const services = Array.from({ length: 300 }, (_, index) => ({
      ...announced,
      service: 'many',
      mount: `many.test/${index}`,
    }))
    telephone.session.sendControl({ type: 'announce', id: 1, services })
    await eventually('the first is claimed', async () => await findRoute(store, 'many.test/0'))
    telephone.session.close('going_away')
    await eventually('the tunnel is closed', () =>
      harness.switchboard.list().length === 0 ? true : undefined,
    )
    const claimed = async (): Promise<number> =>
      (await store.tokens.claimCounts([asTokenId(id)])).get(asTokenId(id)) ?? 0
    const before = await claimed()
    // Claims of one token run one after the other. If the old claims went on, each of these would wait for one of them.
    const next = await harness.dial(token)
    for (let turn = 1; turn <= 5; turn += 1)
      await next.announce({ service: 'next', mount: `next${turn}.test` })
    expect((await claimed()) - before).toBeLessThanOrEqual(5 + 1)
  })
})

describe('announcements', () => {
  const MANY = 60

  it('over the rate wait, and only the newest is evaluated', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    // Sends only as many messages at once as a session accepts (P26).
    for (let sent = 0; sent < MANY; sent += 1) await telephone.announce({ service: 'web', weight: sent })
    const weights = (): number[] => [...harness.registry.linesOf('web')].map(({ weight }) => weight)
    for (const weight of [900, 901]) {
      const web = { service: 'web', health: 'up', version: '', labels: {}, weight } as const
      telephone.session.sendControl({ type: 'announce', id: weight, services: [web] })
    }
    // Its response shows that all earlier messages have arrived.
    telephone.session.sendControl({ type: 'renew' })
    await telephone.control('renewed')
    expect(weights()).toEqual([MANY - 1])
    clock.advance(1000)
    await eventually('the newest announcement is evaluated', () => (weights()[0] === 901 ? true : undefined))
    expect(announcements(telephone).some(({ id }) => id === 900)).toBe(false)
  })

  it('over the rate for a long time are refused with a code, and the previous one stays', async () => {
    const { id, token } = await harness.token({ limits: { announcementsPerMinute: 2 } })
    const telephone = await harness.dial(token)
    await telephone.announce({ service: 'web' })
    await telephone.announce({ service: 'web', weight: 5 })
    const results = await telephone.announce({ service: 'web', weight: 7 }, { service: 'api' })
    expect(results).toMatchObject([
      { service: 'web', accepted: false, code: 'token_announcement_limit' },
      { service: 'api', accepted: false, code: 'token_announcement_limit' },
    ])
    expect(results[0]?.detail).toContain(`Token ${id} has sent its limit of 2 announcements`)
    expect([...harness.registry.lines()].map(({ service, weight }) => [service, weight])).toEqual([
      ['web', 5],
    ])
    clock.advance(30_000)
    expect((await telephone.announce({ service: 'api' }))[0]?.accepted).toBe(true)
  })

  it('share their rate with renewals', async () => {
    const { token } = await harness.token({ limits: { announcementsPerMinute: 1 } })
    const telephone = await harness.dial(token)
    telephone.session.sendControl({ type: 'renew' })
    expect((await telephone.control('renewed')).token).toBeDefined()
    const [result] = await telephone.announce({ service: 'web' })
    expect(result?.code).toBe('token_announcement_limit')
    telephone.controls.length = 0
    telephone.session.sendControl({ type: 'renew' })
    expect((await telephone.control('renewed')).detail).toContain('has sent its limit of 1 announcements')
  })
})

it('gives a renewed token the limits of its row', async () => {
  const { id, token } = await harness.token({ limits: { tunnels: 1, claims: 5 } })
  const telephone = await harness.dial(token)
  telephone.session.sendControl({ type: 'renew' })
  const renewed = (await telephone.control('renewed')).token ?? ''
  expect((await dialRaw(renewed)).status).toBe(429)
  expect(await harness.database.store.tokens.get(asTokenId(id))).toMatchObject({
    maxTunnels: 1,
    maxClaims: 5,
    maxAnnouncementsPerMinute: null,
  })
})
