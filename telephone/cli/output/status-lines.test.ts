import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { TelephoneEvent } from '../../events.ts'
import { DialError } from '../../tunnel/dial-error.ts'
import { RequestLines } from './request-lines.ts'
import { StatusLines } from './status-lines.ts'
import { briefly, roughly } from './words.ts'

let lines: string[]
let now: number
let show: (event: TelephoneEvent) => void

beforeEach(() => {
  lines = []
  now = 0
  show = new StatusLines({
    out: line => lines.push(line),
    colours: false,
    targets: new Map([['web', 'http://localhost:3000']]),
    requests: new RequestLines({
      out: line => lines.push(line),
      colours: false,
      clock: new ManualClock(),
      maxPerSecond: 20,
    }),
    tunnels: 2,
    name: 'me',
    wallTime: () => now,
  }).show
})

const url = 'https://a.example'
const failed = (tunnel: number, message: string): TelephoneEvent => ({
  kind: 'dial_failed',
  tunnel,
  url,
  error: new DialError('unreachable', message),
  retryInMs: 400,
})
const ready: TelephoneEvent = { kind: 'tunnel_ready', tunnel: 1, url, replica: 'r1', agent: 'x' }

describe('status lines', () => {
  it('report the same problem once, again after a minute, and again after it has ended', () => {
    for (const tunnel of [1, 2, 1, 2]) show(failed(tunnel, 'no response'))
    expect(lines).toEqual(['✗ https://a.example: no response; trying again in 0.4 s'])
    now = 60_000
    show(failed(1, 'no response'))
    show(failed(1, 'something else'))
    show(ready)
    show(failed(1, 'something else'))
    expect(lines).toHaveLength(5)
  })

  it('warn about lowered limits only when they are a problem', () => {
    show({ kind: 'limits_lowered', isProblem: false, detail: 'It is enough.' })
    show({ kind: 'limits_lowered', isProblem: true, detail: 'Raise it.' })
    expect(lines).toEqual(['! Limits lowered: Raise it.'])
  })

  it('warn once about a lost mount, and show its URL again when it is back', () => {
    const detail = 'The route of mount app.test was deleted'
    const lost = { service: 'web', accepted: true, detail, urls: [], lostMount: 'app.test' }
    const back = { service: 'web', accepted: true, urls: ['http://app.test/'] }
    show({ kind: 'announced', tunnel: 1, results: [back] })
    show({ kind: 'mount_lost', service: 'web', mount: 'app.test', detail, claimInMs: 60_000 })
    for (const tunnel of [1, 2]) show({ kind: 'announced', tunnel, results: [lost] })
    for (const tunnel of [1, 2]) show({ kind: 'announced', tunnel, results: [back] })
    expect(lines).toEqual([
      '✓ http://app.test/ → http://localhost:3000',
      '! web: The route of mount app.test was deleted. This Telephone claims it again within 60 s.',
      '✓ http://app.test/ → http://localhost:3000',
    ])
  })

  it('report the URLs of the services once for all tunnels', () => {
    const announced = (tunnel: number, urls: string[]): TelephoneEvent => ({
      kind: 'announced',
      tunnel,
      results: [
        { service: 'web', accepted: true, urls },
        { service: 'api', accepted: false, detail: 'not in scope', urls: [] },
      ],
    })
    show(announced(1, ['https://a.example/x']))
    show(announced(2, ['https://a.example/x']))
    expect(lines).toEqual(['✓ https://a.example/x → http://localhost:3000\n✗ api: not in scope'])
    show(announced(2, []))
    expect(lines[1]).toBe('✓ web → http://localhost:3000\n✗ api: not in scope')
  })

  it('show the remark on a service that another telephone serves too', () => {
    const detail = 'Also served by telephone "other": each gets a part of the requests.'
    const urls = ['https://a.example/']
    show({ kind: 'announced', tunnel: 1, results: [{ service: 'web', accepted: true, detail, urls }] })
    expect(lines).toEqual([`✓ https://a.example/ → http://localhost:3000\n! web: ${detail}`])
  })

  it('explain that another Telephone has taken over, and the cause of a loss', () => {
    const lost = (reason: 'replaced' | 'ping_timeout' | 'going_away'): TelephoneEvent => ({
      kind: 'tunnel_lost',
      tunnel: 1,
      url,
      reason,
      detail: reason,
      permanent: false,
      retryInMs: 30_000,
    })
    show(lost('replaced'))
    show(lost('ping_timeout'))
    show(lost('going_away'))
    expect(lines).toEqual([
      '! another Telephone named "me" has taken over; this one waits. To run both, give each its own --name',
      '! https://a.example: connection lost: the peer sent no bytes within the ping timeout; trying again in 30 s',
      '! https://a.example: connection lost: the session was closed as planned (going_away); trying again in 30 s',
    ])
  })

  it('have the remedy for a token that expires soon, and for a refused one', () => {
    now = 1_000_000
    show({ kind: 'token_problem', detail: 'The token was not renewed: no.', expiresAtMs: now + 86_400_000 })
    const error = new DialError('refused', 'This token has expired.', { status: 401, code: 'token_expired' })
    show({ kind: 'dial_failed', tunnel: 1, url, error, retryInMs: 45_000 })
    expect(lines).toEqual([
      '! The token was not renewed: no. It expires in 1 day.',
      '✗ https://a.example: This token has expired. Issue a new token with "plugboard token issue". (trying again in 45 s)',
    ])
  })
})

it('render durations for people', () => {
  expect([0, 20, 100, 3100, 120_000].map(briefly)).toEqual(['0 s', '0.1 s', '0.1 s', '3 s', '2 min'])
  expect([30_000, 120_000, 3_700_000, 200_000_000].map(roughly)).toEqual([
    'less than a minute',
    '2 minutes',
    '1 hour',
    '2 days',
  ])
})
