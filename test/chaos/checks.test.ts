// Proves that each check of a chaos run can fail: each one gets a fault that it must report.

import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { digest, payload } from './client/payload.ts'
import { type Outcome, type Plan, sendPlanned, targetOf } from './client/request.ts'
import { RouteHistory } from './client/route-history.ts'
import { ChaosBackend } from './cluster/backend.ts'
import type { Incident } from './incident.ts'
import { Judgement } from './judgement.ts'
import { RunClock } from './run-clock.ts'

const PLAN: Plan = {
  method: 'GET',
  host: 'a.test',
  nonce: 'n1',
  bytes: 1000,
  upload: Buffer.alloc(0),
  pieces: 1,
  everyMs: 0,
  withLength: false,
}

describe('a response', () => {
  let server: Server | undefined

  afterEach(async () => {
    server?.closeAllConnections()
    server?.close()
    if (server?.listening) await once(server, 'close')
    server = undefined
  })

  const right = {
    'x-service': 'web',
    'x-nonce': 'n1',
    'x-seen': `GET a.test ${targetOf(PLAN)}`,
    'x-body': `0 ${digest(Buffer.alloc(0))}`,
  }

  async function from(listener: RequestListener): Promise<Outcome> {
    server = createServer(listener)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return (await sendPlanned(PLAN, (server.address() as AddressInfo).port, 2000)).outcome
  }

  it('of the backend is right', async () => {
    const backend = await ChaosBackend.start('web', 'web-1')
    for (const pieces of [1, 7]) {
      const plan: Plan = { ...PLAN, method: 'PUT', upload: payload('up', 5000), pieces, everyMs: 1 }
      expect((await sendPlanned(plan, backend.port)).outcome).toEqual({ kind: 'answered', service: 'web' })
    }
    await backend.close()
  })

  it.each([
    ['that is cut and looks complete', { ...right }, payload('n1', 999)],
    ['with another body', { ...right }, payload('n2', 1000)],
    ['to another request', { ...right, 'x-nonce': 'n2' }, payload('n1', 1000)],
    ['to another host', { ...right, 'x-seen': `GET b.test ${targetOf(PLAN)}` }, payload('n1', 1000)],
    ['to another upload', { ...right, 'x-body': `1 ${digest(Buffer.from('x'))}` }, payload('n1', 1000)],
    ['without the name of a sender', {}, payload('n1', 1000)],
  ])('%s is wrong', async (_name, fields, body) => {
    const outcome = await from((_request, response) => response.writeHead(200, fields).end(body))
    expect(outcome.kind).toBe('wrong')
  })

  it('whose connection closes early is cut, or broken before its head', async () => {
    const cut = await from((_request, response) => {
      response.writeHead(200, right).write('half', () => response.destroy())
    })
    expect(cut.kind).toBe('cut')
    server?.close()
    expect((await from((_request, response) => response.destroy())).kind).toBe('broken')
  })

  it('of the proxy is a problem, without fields of a backend', async () => {
    const code = { 'plugboard-error': 'no_telephone' }
    expect(await from((_request, response) => response.writeHead(503, code).end())).toEqual({
      kind: 'problem',
      status: 503,
      code: 'no_telephone',
    })
    server?.close()
    const mixed = await from((_request, response) => response.writeHead(503, { ...code, ...right }).end())
    expect(mixed.kind).toBe('wrong')
  })
})

describe('the check of results', () => {
  const moved = (): RouteHistory => {
    const routes = new RouteHistory()
    routes.begin('a.test', 'old')
    routes.edit('a.test', 'new', 1000)(1100)
    return routes
  }
  const asked = (outcome: Outcome, sentAtMs: number) => ({
    plan: PLAN,
    sentAtMs,
    endedAtMs: sentAtMs + 10,
    replica: 'r1',
    outcome,
  })
  const by = (service: string): Outcome => ({ kind: 'answered', service })

  it('distinguishes the old route, the new route, and the time in between', () => {
    const complaintsAbout = (service: string, sentAtMs: number): number => {
      const judgement = new Judgement(moved())
      judgement.take(asked(by(service), sentAtMs))
      return judgement.conclude().complaints.length
    }
    expect(complaintsAbout('old', 500)).toBe(0)
    expect(complaintsAbout('new', 500)).toBe(1)
    expect([complaintsAbout('old', 1050), complaintsAbout('new', 1050)]).toEqual([0, 0])
    expect([complaintsAbout('old', 2000), complaintsAbout('new', 2000)]).toEqual([0, 0])
    expect([complaintsAbout('old', 2200), complaintsAbout('new', 2200)]).toEqual([1, 0])
    expect(complaintsAbout('other', 1050)).toBe(1)
  })

  it('accepts both routes while the result of an edit is unknown', () => {
    const routes = moved()
    routes.edit('a.test', null, 3000)(undefined)
    expect(routes.possible('a.test', 9000, 9001, 0)).toEqual(new Set(['new', null]))
    routes.edit('a.test', null, 9500)(9500)
    expect(routes.possible('a.test', 9600, 9601, 0)).toEqual(new Set([null]))
  })

  it('excuses only the failures that an incident excuses', () => {
    const incident: Incident = {
      name: 'something',
      fromMs: 0,
      mayBeStale: () => false,
      excuse: ({ asked: { sentAtMs } }) => (sentAtMs < 100 ? 'it was that' : undefined),
    }
    const judgement = new Judgement(moved())
    judgement.begins(incident)
    const failure: Outcome = { kind: 'problem', status: 502, code: 'telephone_lost' }
    judgement.take(asked(failure, 50))
    judgement.take(asked(failure, 200))
    const { complaints, excused } = judgement.conclude()
    expect(excused).toEqual(new Map([['it was that', 1]]))
    expect(complaints).toHaveLength(1)
  })

  it('requires 404 for a host without a route, and rejects it for a host with one', () => {
    const routes = moved()
    routes.edit('a.test', null, 5000)(5000)
    const judgement = new Judgement(routes)
    const missing: Outcome = { kind: 'problem', status: 404, code: 'route_not_found' }
    judgement.take(asked(missing, 9000))
    expect(judgement.responded).toBe(1)
    judgement.take(asked(by('new'), 9000))
    judgement.take(asked(missing, 500))
    expect(judgement.conclude().complaints).toHaveLength(2)
  })
})

describe('the clock of a run', () => {
  it('excludes the time in which this process was stopped, and counts it', () => {
    let timeMs = 1000
    const clock = new RunClock(() => timeMs)
    const later = (ms: number): number => {
      timeMs += ms
      return clock.now()
    }
    expect(later(20)).toBe(1020)
    expect(later(200)).toBe(1220)
    expect(clock.stalls).toEqual({ count: 0, ms: 0 })
    // The usual distance between two checks is not excluded.
    expect(later(2020)).toBe(1240)
    expect(later(20)).toBe(1260)
    expect(clock.stalls).toEqual({ count: 1, ms: 2000 })
  })

  it('does not count the time before its start', () => {
    let timeMs = 1000
    const clock = new RunClock(() => timeMs)
    timeMs = 6000
    clock.start()
    clock.stop()
    expect(clock.now()).toBe(6000)
    expect(clock.stalls).toEqual({ count: 0, ms: 0 })
  })

  it('checks the time by itself', async () => {
    let looks = 0
    const seen = Promise.withResolvers<void>()
    const clock = new RunClock(() => {
      looks += 1
      if (looks === 4) seen.resolve()
      return looks
    })
    clock.start()
    await seen.promise
    clock.stop()
    expect(looks).toBe(4)
  })
})
