// Tests the tunnel of a token that expires or is renewed, with a manual clock and without a database.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { asTokenId } from '../../common/ids/row-ids.ts'
import type { TokenReference } from '../../database/store/values/token-reference.ts'
import { Registry } from '../../registry/registry.ts'
import { Switchboard } from '../switchboard.ts'
import type { Credential } from './authenticate.ts'

const DAY_MS = 86_400_000
const quietLimits = {
  pingIntervalMs: 1000 * DAY_MS,
  pingTimeoutMs: 2000 * DAY_MS,
  helloTimeoutMs: 2000 * DAY_MS,
}

let clock: ManualClock
let switchboard: Switchboard
let expiryOf: (id: string) => Promise<Date | undefined>
let renew: () => Promise<Date>
let asked: number

beforeEach(() => {
  clock = new ManualClock()
  asked = 0
  expiryOf = () => Promise.resolve(undefined)
  renew = () => Promise.reject(new VeraError('token_revoked'))
  const nothing = (): undefined => undefined
  switchboard = new Switchboard({
    replicaId: asReplicaId('r'),
    identity: { agent: 'a', name: 'plugboard', instance: 'plugboard-1', startedAt: 1 },
    directory: {
      serviceByName: nothing,
      route: nothing,
      verificationKey: nothing,
      subscribe: () => nothing,
      routesOfService: () => [].values(),
      waitForSequence: () => expect.fail('a mount was claimed'),
    },
    store: {
      claimMount: () => expect.fail('a mount was claimed'),
      tokens: { touch: () => Promise.resolve() } as never,
      changes: {} as never,
    },
    tokens: {
      expiryOf: id => {
        asked += 1
        return expiryOf(id)
      },
      renew: async id => {
        const expiresAt = await renew()
        return { id, token: 'fresh', expiresAt, services: ['*'], mounts: [], limits: {} }
      },
    },
    registry: new Registry(),
    urlOf: () => '',
    limits: quietLimits,
    clock,
    log: silentLogger,
  })
})

afterEach(() => switchboard.drain(0))

const OWN: TokenReference = { kind: 'own', id: asTokenId('token-1') }
/** An outside issuer may use any token id, even an id of one of our tokens. */
const OUTSIDE: TokenReference = {
  kind: 'outside',
  issuer: 'https://id.test',
  subject: 'laptop',
  id: 'token-1',
}

async function connect(expiresInMs: number, token = OWN): Promise<FakeTelephone> {
  const pair = memoryTransportPair()
  const credential: Credential = {
    token,
    subject: 'laptop',
    services: ['*'],
    mounts: [],
    limits: {},
    kid: undefined,
    expiresAtMs: clock.wallTime() + expiresInMs,
  }
  switchboard.connect(pair.a, credential, '127.0.0.1')
  const telephone = new FakeTelephone(pair.b)
  await telephone.ready()
  return telephone
}

const askedTimes = (times: number): Promise<true> =>
  eventually('the expiry of the token is read', () => (asked >= times ? true : undefined))

it('closes the tunnel of an expired token', async () => {
  const telephone = await connect(1000)
  clock.advance(999)
  expect([asked, telephone.session.state]).toEqual([0, 'open'])
  clock.advance(1)
  expect((await telephone.closed).reason).toBe('unauthorized')
})

it('keeps the tunnel until the new expiry when another replica renewed the token', async () => {
  const telephone = await connect(1000)
  const later = new Date(clock.wallTime() + 5000)
  expiryOf = () => Promise.resolve(later)
  clock.advance(1000)
  await askedTimes(1)
  expiryOf = () => Promise.resolve(undefined)
  clock.advance(3999)
  expect([asked, telephone.session.state]).toEqual([1, 'open'])
  clock.advance(1)
  expect((await telephone.closed).reason).toBe('unauthorized')
})

it('applies a renewal over one tunnel to all tunnels of the token', async () => {
  const telephone = await connect(1000)
  const twin = await connect(1000)
  const later = new Date(clock.wallTime() + 5000)
  renew = () => Promise.resolve(later)
  telephone.session.sendControl({ type: 'renew' })
  expect((await telephone.control('renewed')).token).toBe('fresh')
  clock.advance(4999)
  expect([asked, telephone.session.state, twin.session.state]).toEqual([0, 'open', 'open'])
  clock.advance(1)
  expect((await twin.closed).reason).toBe('unauthorized')
})

it('responds to a refused renewal with the reason', async () => {
  const telephone = await connect(1000)
  telephone.session.sendControl({ type: 'renew' })
  const detail = 'This token has been revoked.'
  expect(await telephone.control('renewed')).toEqual({ type: 'renewed', detail })
})

describe('a token of an outside issuer, with the id of one of ours', () => {
  it('is not renewed', async () => {
    const telephone = await connect(1000, OUTSIDE)
    renew = () => expect.fail('renewed a token of ours')
    telephone.session.sendControl({ type: 'renew' })
    const { token, detail } = await telephone.control('renewed')
    expect([token, detail]).toEqual([undefined, expect.stringContaining('Get a new token from its issuer')])
  })

  it('is not extended when our own token is renewed', async () => {
    const ours = await connect(1000)
    const outside = await connect(1000, OUTSIDE)
    const later = new Date(clock.wallTime() + 5000)
    renew = () => Promise.resolve(later)
    ours.session.sendControl({ type: 'renew' })
    await ours.control('renewed')
    clock.advance(1000)
    expect((await outside.closed).reason).toBe('unauthorized')
    expect([asked, ours.session.state]).toEqual([0, 'open'])
  })

  it('expires at its own time, even when the row of our own token has a later expiry', async () => {
    const telephone = await connect(1000, OUTSIDE)
    expiryOf = () => Promise.resolve(new Date(clock.wallTime() + 5000))
    clock.advance(1000)
    expect((await telephone.closed).reason).toBe('unauthorized')
    expect(asked).toBe(0)
  })
})

it('keeps the tunnel of an expired token while the database is unavailable', async () => {
  const telephone = await connect(1000)
  expiryOf = () => Promise.reject(new VeraError('database_unavailable'))
  clock.advance(1000)
  await askedTimes(1)
  expect(telephone.session.state).toBe('open')
  expiryOf = () => Promise.resolve(undefined)
  await eventually('closed', () => {
    clock.advance(30_000)
    return telephone.session.state === 'closed' ? true : undefined
  })
})

it('closes the tunnel of a token whose lifetime exceeds the longest timer of Node', async () => {
  const telephone = await connect(100 * DAY_MS)
  for (let day = 0; day < 99; day += 1) clock.advance(DAY_MS)
  expect([asked, telephone.session.state]).toEqual([0, 'open'])
  clock.advance(DAY_MS)
  expect((await telephone.closed).reason).toBe('unauthorized')
})
