import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import type { TelephoneEvent } from '../events.ts'
import { Renewal, renewalTime } from './renewal.ts'
import { TokenStore } from './token-store.ts'

const HOUR_MS = 3_600_000
const jwt = (claims: object): string =>
  ['{"alg":"none"}', JSON.stringify(claims), 'x']
    .map(part => Buffer.from(part).toString('base64url'))
    .join('.')

let clock: ManualClock
let asked: number
let events: TelephoneEvent[]
let store: TokenStore
let renewal: Renewal

const seconds = (): number => clock.wallTime() / 1000
const token = (lifeSeconds: number, iat = seconds()): string =>
  jwt({ sub: 'x', jti: '1', iat, exp: iat + lifeSeconds, services: ['*'] })

beforeEach(() => {
  clock = new ManualClock()
  asked = 0
  events = []
  store = new TokenStore({ kind: 'text', token: token(3600) })
  renewal = new Renewal({
    store,
    clock,
    random: () => 0.5,
    ask: () => {
      asked += 1
      return true
    },
    report: event => events.push(event),
  })
})

describe('renewal', () => {
  it('asks at two thirds of the lifetime, and again without a response', () => {
    renewal.follow(store.read())
    clock.advance(HOUR_MS * (2 / 3) - 1)
    expect(asked).toBe(0)
    clock.advance(1)
    expect(asked).toBe(1)
    clock.advance(HOUR_MS / 12)
    expect(asked).toBe(2)
    renewal.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('follows the new token', () => {
    renewal.follow(store.read())
    clock.advance(HOUR_MS * (2 / 3))
    const next = token(2 * 3600)
    renewal.onRenewed(next, undefined)
    expect(store.read()).toBe(next)
    expect(events).toEqual([
      { kind: 'token_renewed', expiresAtMs: (seconds() + 7200) * 1000 },
      {
        kind: 'token_problem',
        detail: expect.stringContaining('--token-file'),
        expiresAtMs: (seconds() + 1200) * 1000,
      },
    ])
    clock.advance(2 * HOUR_MS * (2 / 3))
    expect(asked).toBe(2)
  })

  it('stops asking when the new token does not expire later', () => {
    const short = token(3600)
    renewal.follow(short)
    clock.advance(HOUR_MS * (2 / 3))
    expect(asked).toBe(1)
    renewal.onRenewed(short, undefined)
    clock.advance(HOUR_MS / 12 - 1000)
    expect(asked).toBe(1)
    clock.advance(2000)
    expect(asked).toBe(2)
  })

  it('reports that there is no new token, and continues to ask', () => {
    renewal.follow(store.read())
    clock.advance(HOUR_MS * (2 / 3))
    renewal.onRenewed(undefined, 'the signing key was removed')
    expect(events).toEqual([
      {
        kind: 'token_problem',
        detail: 'The token was not renewed: the signing key was removed.',
        expiresAtMs: (seconds() + 1200) * 1000,
      },
    ])
    clock.advance(HOUR_MS / 12)
    expect(asked).toBe(2)
  })

  it('reports a token that is not renewed in time, once for each further attempt', () => {
    renewal.follow(store.read())
    clock.advance(HOUR_MS * (2 / 3))
    expect(events).toEqual([])
    clock.advance(HOUR_MS / 12)
    const problem = {
      kind: 'token_problem',
      detail: 'The token is due for renewal, and no Plugboard has renewed it yet.',
      expiresAtMs: (seconds() + 900) * 1000,
    }
    expect(events).toEqual([problem])
    renewal.onRenewed(token(2 * 3600), undefined)
    events.length = 0
    clock.advance(2 * HOUR_MS * (2 / 3))
    expect(events).toEqual([])
  })

  it('recommends a token file only once, and only without one', () => {
    renewal.follow(store.read())
    for (const hours of [2, 3]) renewal.onRenewed(token(hours * 3600), undefined)
    expect(events.map(({ kind }) => kind)).toEqual(['token_renewed', 'token_problem', 'token_renewed'])
  })

  it('asks after a short random delay when the time has passed at the start', () => {
    renewal.follow(token(3600, seconds() - 3000))
    clock.advance(4999)
    expect(asked).toBe(0)
    clock.advance(1)
    expect(asked).toBe(1)
  })

  it('can wait longer than the longest timer', () => {
    renewal.follow(token(300 * 24 * 3600))
    clock.advance(199 * 24 * HOUR_MS)
    expect(asked).toBe(0)
    clock.advance(24 * HOUR_MS)
    expect(asked).toBe(1)
  })

  it('ignores a token that is not a JWT', () => {
    renewal.follow('opaque')
    expect(clock.pendingTimers).toBe(0)
    expect(renewalTime({ exp: 100 }, 40_000)).toBe(80_000)
  })
})

describe('a token file', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'telephone-'))
  })
  afterEach(() => {
    chmodSync(folder, 0o700)
    rmSync(folder, { recursive: true })
  })

  it('that cannot be written does not prevent the renewal, and a changed file is read', () => {
    const path = join(folder, 'token')
    writeFileSync(path, 'old.a.b')
    const file = new TokenStore({ kind: 'file', path })
    // The folder is deleted, so the write fails for root too. Permissions do not restrict root.
    rmSync(path)
    rmSync(folder, { recursive: true })
    expect(() => file.renew('new.a.b')).toThrow(/cannot be written/)
    expect(file.read()).toBe('new.a.b')
    mkdirSync(folder)
    writeFileSync(path, 'by-hand.a.b')
    expect(file.read()).toBe('by-hand.a.b')
  })

  it('contains exactly one token', () => {
    const path = join(folder, 'token')
    const file = new TokenStore({ kind: 'file', path })
    for (const text of ['', 'a b', 'Bearer x', 'a\nb']) {
      writeFileSync(path, text)
      expect(() => file.read()).toThrow(/token file/)
    }
    writeFileSync(path, ' a.b.c \n')
    expect(file.read()).toBe('a.b.c')
    expect(readFileSync(path, 'utf8')).toBe(' a.b.c \n')
  })
})
