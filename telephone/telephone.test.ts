import { getEventListeners } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../test/support/deadline.ts'
import { useLeakCheck } from '../test/support/leak-check.ts'
import { ManualClock } from '../test/support/manual-clock.ts'
import type { TelephoneEvent } from './events.ts'
import { connect } from './index.ts'
import { parseService, type ServiceOptions } from './options/service-options.ts'
import { Telephone, type TelephoneOptions } from './telephone.ts'
import { FakePlugboard, type FakeTunnel } from './testing/fake-plugboard.ts'
import { ScriptedBackend } from './testing/scripted-backend.ts'
import { Caller } from './testing/tunnel-pair.ts'

useLeakCheck()

let plugboard: FakePlugboard
let others: FakePlugboard[]
let telephones: { close(graceMs: number): Promise<void> }[]
let events: TelephoneEvent[]
let waiting: (() => void)[]
let folder: string

beforeEach(async () => {
  plugboard = await new FakePlugboard('a').listen()
  others = []
  telephones = []
  events = []
  waiting = []
  folder = mkdtempSync(join(tmpdir(), 'telephone-'))
})
afterEach(async () => {
  await Promise.all(telephones.map(telephone => telephone.close(0)))
  await Promise.all([plugboard, ...others].map(one => one.kill()))
  rmSync(folder, { recursive: true })
})

async function another(name: string): Promise<FakePlugboard> {
  const other = await new FakePlugboard(name).listen()
  others.push(other)
  return other
}

function start(options: Partial<TelephoneOptions> = {}, service: Partial<ServiceOptions> = {}): Telephone {
  const telephone = new Telephone({
    plugboards: [plugboard.url],
    token: { kind: 'text', token: 'a.b.c' },
    services: [parseService({ service: 'web', target: '127.0.0.1:1', ...service })],
    name: 'test',
    // With 0.5, each delay is half of its maximum, in every run.
    random: () => 0.5,
    ...options,
  })
  telephones.push(telephone)
  telephone.subscribe(event => {
    events.push(event)
    for (const resolve of waiting.splice(0)) resolve()
  })
  telephone.start()
  return telephone
}

async function event<K extends TelephoneEvent['kind']>(
  kind: K,
  condition: (event: Extract<TelephoneEvent, { kind: K }>) => boolean = () => true,
): Promise<Extract<TelephoneEvent, { kind: K }>> {
  for (;;) {
    const found = events.find(
      (one): one is Extract<TelephoneEvent, { kind: K }> => one.kind === kind && condition(one as never),
    )
    if (found !== undefined) return found
    await new Promise<void>(resolve => waiting.push(resolve))
  }
}

const jwt = (claims: object): string =>
  ['{"alg":"none"}', JSON.stringify(claims), 'x']
    .map(part => Buffer.from(part).toString('base64url'))
    .join('.')

describe('tunnels', () => {
  it('are two by default, announce the services, and send the token', async () => {
    const telephone = start({}, { mount: 'app.test/api', weight: 7, version: '1.2', labels: { zone: 'x' } })
    expect((await event('announced')).results).toEqual([
      { service: 'web', accepted: true, urls: ['http://app.test/api'] },
    ])
    await plugboard.until(p => p.live.length === 2)
    await event('tunnel_ready', ready => ready.tunnel === 2)
    expect(telephone.state).toBe('ready')
    expect(telephone.tunnels.map(({ state, replica }) => [state, replica])).toEqual([
      ['ready', 'a'],
      ['ready', 'a'],
    ])
    expect(plugboard.tunnels[0]).toMatchObject({
      authorization: 'Bearer a.b.c',
      announce: {
        services: [
          {
            service: 'web',
            mount: 'app.test/api',
            health: 'up',
            weight: 7,
            version: '1.2',
            labels: { zone: 'x' },
          },
        ],
      },
    })
    const instances = plugboard.tunnels.map(({ session }) => session.peer?.instance)
    expect(new Set(instances).size).toBe(1)
  })

  it('end on different replicas if there are several', async () => {
    const b = await another('b')
    const replicas = [
      { id: 'a', url: plugboard.url },
      { id: 'b', url: b.url },
    ]
    plugboard.replicas = replicas
    b.replicas = replicas
    start()
    await Promise.all([plugboard.until(p => p.live.length === 1), b.until(p => p.live.length === 1)])
  })

  it('move when a replica joins, and open the new tunnel first', async () => {
    start({ random: () => 0.001 })
    await plugboard.until(p => p.live.length === 2)
    await event('tunnel_ready', ready => ready.tunnel === 2)
    const b = await another('b')
    b.judge = announce => {
      // At this moment no tunnel has been closed.
      expect(plugboard.live).toHaveLength(2)
      return announce.services.map(({ service }) => ({ service, accepted: true, urls: [] }))
    }
    const replicas = [
      { id: 'a', url: plugboard.url },
      { id: 'b', url: b.url },
    ]
    for (const { session } of plugboard.live) session.sendControl({ type: 'replicas', replicas })
    await b.until(p => p.live.length === 1)
    await plugboard.until(p => p.live.length === 1)
    expect(plugboard.tunnels.find(tunnel => tunnel.closedBy)?.closedBy).toMatchObject({
      reason: 'going_away',
    })
  })

  it('use only the configured addresses without followReplicas', async () => {
    const b = await another('b')
    plugboard.replicas = [
      { id: 'a', url: plugboard.url },
      { id: 'b', url: b.url },
    ]
    start({ followReplicas: false })
    await plugboard.until(p => p.live.length === 2)
    expect(b.dials).toBe(0)
  })

  it('are replaced when their replica drains, and finish their streams', async () => {
    const backend = await new ScriptedBackend().listen()
    const b = await another('b')
    start({ tunnels: 1, plugboards: [plugboard.url, b.url] }, { target: backend.port })
    const first = await Promise.race([plugboard, b].map(one => one.until(p => p.live.length === 1)))
    const second = first === plugboard ? b : plugboard
    const { session } = first.live[0]!
    const caller = new Caller(session, {})
    const connection = await backend.connection()
    await connection.request()
    await event('tunnel_ready')
    const drained = session.drain(60_000)
    await second.until(p => p.live.length === 1)
    expect(first.live).toHaveLength(1)
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
    await caller.until(c => c.ended)
    expect(caller.body).toBe('done')
    await drained
    await backend.close()
  })

  it('stay open when their predecessor drained before the response to its announcement', async () => {
    const b = await another('b')
    plugboard.replicas = [
      { id: 'a', url: plugboard.url },
      { id: 'b', url: b.url },
    ]
    plugboard.judge = () => {
      plugboard.tunnels.at(-1)?.session.sendControl({ type: 'move', why: 'leaving' })
      return []
    }
    const overdue = new Set<() => void>()
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, task) => {
        // Only tunnels set timers of this length, for their announcements. The test runs them at its end.
        if (delayMs !== 10_000) return systemClock.after(delayMs, task)
        overdue.add(task)
        return { cancel: () => void overdue.delete(task) }
      },
    }
    start({ tunnels: 1, clock })
    await event('tunnel_ready', ready => ready.replica === 'b')
    for (const task of overdue) task()
    await b.tunnels[0]?.session.drain(60_000)
    expect(b.tunnels[0]?.closedBy?.reason).toBe('going_away')
  })

  it('are dialled again after a loss', async () => {
    start({ tunnels: 1 })
    await plugboard.until(p => p.live.length === 1)
    await event('tunnel_ready')
    plugboard.live[0]?.session.close('internal_error')
    const lost = await event('tunnel_lost')
    expect(lost).toMatchObject({ reason: 'internal_error', retryInMs: 125 })
    await plugboard.until(p => p.tunnels.length === 2 && p.live.length === 1)
  })

  it('open as soon as the Plugboard is available', async () => {
    const { port } = plugboard
    await plugboard.kill()
    start({ tunnels: 1 })
    const failed = await event('dial_failed')
    expect(failed.error).toMatchObject({ kind: 'unreachable', code: 'ECONNREFUSED' })
    plugboard = await new FakePlugboard('a').listen(port)
    await plugboard.until(p => p.live.length === 1)
  })

  it.each([
    ['replaced', 45_000],
    ['unauthorized', 45_000],
    ['draining', 125],
  ] as const)('that end with %s are dialled again after %i ms', async (reason: Reason, retryInMs) => {
    start({ tunnels: 1 })
    await plugboard.until(p => p.live.length === 1)
    await event('tunnel_ready')
    plugboard.live[0]?.session.close(reason)
    expect(await event('tunnel_lost')).toMatchObject({ reason, retryInMs })
  })
})

describe('a refusal', () => {
  it('is reported with the text of the server, and retried slowly', async () => {
    plugboard.refusal = {
      status: 401,
      headers: { 'Content-Type': 'application/problem+json' },
      body: JSON.stringify({
        title: 'x',
        status: 401,
        code: 'token_expired',
        detail: 'This token has expired.',
      }),
    }
    start({ tunnels: 1 })
    const { error, retryInMs } = await event('dial_failed')
    expect(error).toMatchObject({
      kind: 'refused',
      status: 401,
      code: 'token_expired',
      message: 'This token has expired.',
    })
    expect(retryInMs).toBe(45_000)
  })

  it('with Retry-After is retried after this time', async () => {
    plugboard.refusal = { status: 503, headers: { 'Retry-After': '7' } }
    start({ tunnels: 1 })
    const { error, retryInMs } = await event('dial_failed')
    expect(error.message).toMatch(/HTTP 503/)
    expect(retryInMs).toBe(7125)
  })

  it('by a server that is not a Plugboard is reported as such', async () => {
    const server = createServer((_request, response) => response.end('hello'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    start({ tunnels: 1, plugboards: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`] })
    const { error } = await event('dial_failed')
    expect(error.message).toMatch(/^HTTP 200 OK; this is not the public port of a Plugboard/)
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })

  it('of the services is reported', async () => {
    plugboard.judge = announce =>
      announce.services.map(({ service }) => ({ service, accepted: false, detail: 'not in scope', urls: [] }))
    start()
    expect((await event('announced')).results).toMatchObject([{ accepted: false, detail: 'not in scope' }])
  })
})

describe('a mount whose route was deleted', () => {
  const detail = 'The route of mount app.test was deleted.'
  const lose = ({ live }: FakePlugboard): void => {
    for (const { session, announce } of live) {
      const results = [{ service: 'web', accepted: true, detail, urls: [], lostMount: 'app.test' }]
      session.sendControl({ type: 'announced', id: announce!.id, results })
    }
  }
  const losses = () => events.filter(({ kind }) => kind === 'mount_lost')

  it('is one event for all tunnels, and is claimed again after a minute', async () => {
    const clock = new ManualClock()
    // The other end uses the real clock, so this clock must not cause pings.
    const limits = { pingIntervalMs: 600_000, pingTimeoutMs: 1_800_000 }
    const telephone = start({ clock, limits }, { mount: 'app.test' })
    await plugboard.until(p => p.live.length === 2)
    await event('tunnel_ready', ({ tunnel }) => tunnel === 2)
    const announcements = plugboard.announcements
    events.length = 0
    lose(plugboard)
    await event('announced', ({ tunnel }) => tunnel === 1)
    await event('announced', ({ tunnel }) => tunnel === 2)
    expect(losses()).toEqual([
      { kind: 'mount_lost', service: 'web', mount: 'app.test', detail, claimInMs: 60_000 },
    ])
    expect(telephone.services).toMatchObject([{ lostMount: 'app.test' }])
    expect(plugboard.announcements).toBe(announcements)
    events.length = 0
    clock.advance(60_000)
    await plugboard.until(p => p.announcements === announcements + 2)
    await event('announced', ({ results }) => results[0]?.lostMount === undefined)
    expect(telephone.services).toEqual([{ service: 'web', accepted: true, urls: ['http://app.test'] }])
    expect(losses()).toEqual([])
  })

  it('is not claimed by a Telephone that did not announce it', async () => {
    start({ tunnels: 1 })
    await event('tunnel_ready')
    lose(plugboard)
    expect(await event('mount_lost')).toMatchObject({ mount: 'app.test', claimInMs: undefined })
  })

  it('is reported as lost for a generated host, not as a Plugboard without generated hosts', async () => {
    plugboard.judge = () => [{ service: 'web', accepted: true, urls: ['http://brisk-otter.test'] }]
    const service = parseService({ service: 'web', target: '127.0.0.1:1' })
    start({ tunnels: 1, services: [{ ...service, generatedHost: 'brisk-otter' }] })
    await event('tunnel_ready')
    lose(plugboard)
    expect(await event('mount_lost')).toMatchObject({ claimInMs: 60_000 })
    expect(events.findLast(({ kind }) => kind === 'announced')).toMatchObject({
      results: [{ accepted: true, lostMount: 'app.test' }],
    })
  })
})

describe('tokens', () => {
  it('are read from their file at each dial', async () => {
    const path = join(folder, 'token')
    writeFileSync(path, 'first.a.b\n')
    start({ tunnels: 1, token: { kind: 'file', path } })
    await plugboard.until(p => p.live.length === 1)
    await event('tunnel_ready')
    writeFileSync(path, 'second.a.b\n')
    plugboard.live[0]?.session.close('internal_error')
    await plugboard.until(p => p.tunnels.length === 2)
    expect(plugboard.tunnels.map(tunnel => tunnel.authorization)).toEqual([
      'Bearer first.a.b',
      'Bearer second.a.b',
    ])
  })

  it('that cannot be read are read again later', async () => {
    const path = join(folder, 'token')
    start({ tunnels: 1, token: { kind: 'file', path } })
    const { error } = await event('dial_failed')
    expect(error.message).toContain(`The token file ${path} cannot be read (ENOENT).`)
    writeFileSync(path, 'late.a.b')
    await plugboard.until(p => p.live.length === 1)
  })

  it('are renewed at two thirds of their lifetime, written to the file, and then used', async () => {
    const now = Date.now() / 1000
    const scope = { sub: 'test', jti: '1', services: ['web'] }
    const old = jwt({ ...scope, iat: Math.floor(now - 3000), exp: Math.floor(now + 2) })
    const fresh = jwt({ ...scope, iat: Math.floor(now), exp: Math.floor(now + 3600) })
    const path = join(folder, 'token')
    writeFileSync(path, old)
    plugboard.renewed = { type: 'renewed', token: fresh }
    start({ tunnels: 1, token: { kind: 'file', path } })
    await event('token_renewed')
    expect(plugboard.renewals).toBe(1)
    expect(readFileSync(path, 'utf8')).toBe(`${fresh}\n`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    plugboard.live[0]?.session.close('internal_error')
    await plugboard.until(p => p.tunnels.length === 2)
    expect(plugboard.tunnels[1]?.authorization).toBe(`Bearer ${fresh}`)
  })
})

describe('health', () => {
  it('of a backend is announced when the backend goes down and when it is up again', async () => {
    const gone = await new ScriptedBackend().listen()
    const { port } = gone
    await gone.close()
    start({ tunnels: 1 }, { target: port, healthCheck: 'tcp', healthIntervalMs: 10 })
    await plugboard.until(p => p.live[0]?.announce?.services[0]?.health === 'down')
    expect(await event('health')).toMatchObject({
      health: 'down',
      detail: expect.stringContaining('refused the connection'),
    })
    const back = await new ScriptedBackend().listen({ port, host: '127.0.0.1' })
    await plugboard.until(p => p.live[0]?.announce?.services[0]?.health === 'up')
    await Promise.all(telephones.map(telephone => telephone.close(0)))
    await back.close()
  })

  it('can depend on the status of a page', async () => {
    let status = 503
    const server = createServer((_request, response) => response.writeHead(status).end())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    start({ tunnels: 1 }, { target: port, healthCheck: '/healthz', healthIntervalMs: 10 })
    expect((await event('health')).detail).toBe('/healthz returned 503')
    status = 204
    await event('health', ({ health }) => health === 'up')
    await Promise.all(telephones.map(telephone => telephone.close(0)))
    await new Promise(resolve => server.close(resolve))
  })

  it('is checked when a Plugboard probes, announced when it has changed, and reported to that Plugboard', async () => {
    let status = 204
    let checks = 0
    const server = createServer((_request, response) => {
      checks += 1
      response.writeHead(status).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    start({ tunnels: 1 }, { target: port, healthCheck: '/healthz', healthIntervalMs: 3_600_000 })
    await plugboard.until(p => p.live.length === 1)
    const [tunnel] = plugboard.live
    expect(tunnel?.session.peer?.features).toContain('probe')
    const probe = async (): Promise<FakeTunnel['probed'][number]> => {
      const before = tunnel?.probed.length ?? 0
      tunnel?.session.sendControl({ type: 'probe', service: 'other' })
      tunnel?.session.sendControl({ type: 'probe', service: 'web' })
      await plugboard.until(() => (tunnel?.probed.length ?? 0) > before)
      return tunnel?.probed.at(-1) as FakeTunnel['probed'][number]
    }
    status = 503
    await eventually(
      'a result of the backend as it is now',
      async () => ((await probe()).result.health === 'down' ? true : undefined),
      5000,
    )
    expect(tunnel?.probed.at(-1)).toEqual({
      result: { type: 'probed', service: 'web', health: 'down' },
      announced: 'down',
    })
    status = 204
    expect(await probe()).toMatchObject({ result: { health: 'up' }, announced: 'up' })
    expect(checks).toBeGreaterThan(2)
    await Promise.all(telephones.map(telephone => telephone.close(0)))
    await new Promise(resolve => server.close(resolve))
  })
})

describe('closing', () => {
  it('finishes open requests, accepts no new ones, and reports this', async () => {
    const backend = await new ScriptedBackend().listen()
    const telephone = start({ tunnels: 1 }, { target: backend.port })
    await plugboard.until(p => p.live.length === 1)
    const { session } = plugboard.live[0]!
    const caller = new Caller(session, {})
    const connection = await backend.connection()
    await connection.request()
    const closed = telephone.close(60_000)
    expect(telephone.state).toBe('draining')
    while (session.canOpen) await new Promise(setImmediate)
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast')
    await caller.until(c => c.ended)
    await closed
    expect(telephone.state).toBe('closed')
    expect(events.slice(-2).map(({ kind }) => kind)).toEqual(['draining', 'closed'])
    await backend.close()
  })

  it('ends open requests at the end of the grace time', async () => {
    const backend = await new ScriptedBackend().listen()
    const telephone = start({ tunnels: 1 }, { target: backend.port })
    await plugboard.until(p => p.live.length === 1)
    const caller = new Caller(plugboard.live[0]!.session, {})
    await (await backend.connection()).request()
    await telephone.close(5)
    await caller.until(c => c.over)
    expect(caller.error?.reason).toBe('going_away')
    await backend.close()
  })

  it('works in each state', async () => {
    await start().close(0)
    const { port } = plugboard
    await plugboard.kill()
    const telephone = start({ plugboards: [`http://127.0.0.1:${port}`] })
    await event('dial_failed')
    await telephone.close(1000)
  })
})

describe('connect, the library', () => {
  it('resolves with a working service, a function in this process', async () => {
    const telephone = await connect({
      plugboard: plugboard.url,
      token: 'a.b.c',
      service: 'hello',
      target: request => new Response(`hello ${new URL(request.url).pathname}`),
    })
    telephones.push(telephone)
    const caller = new Caller(plugboard.live[0]!.session, { service: 'hello', target: '/you' })
    await caller.until(c => c.ended)
    expect(caller.body).toBe('hello /you')
    await telephone.close()
  })

  it('rejects when it cannot work, and leaves no open handle', async () => {
    const given = { plugboard: plugboard.url, token: 'a.b.c', service: 'web', target: 'http://127.0.0.1:1' }
    await expect(connect({ ...given, target: 'ftp://x' })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'target',
    })
    await expect(connect({ ...given, token: undefined })).rejects.toMatchObject({ field: 'token' })
    await expect(connect({ ...given, service: 'Not A Name' })).rejects.toMatchObject({ field: 'service' })
    plugboard.judge = announce =>
      announce.services.map(({ service }) => ({ service, accepted: false, detail: 'no', urls: [] }))
    await expect(connect(given)).rejects.toMatchObject({ code: 'forbidden', message: 'web: no' })
    plugboard.refusal = { status: 403, body: JSON.stringify({ detail: 'the token is revoked' }) }
    await expect(connect(given)).rejects.toMatchObject({
      code: 'forbidden',
      message: `${plugboard.url} refused the token: the token is revoked.`,
    })
  })

  it('removes its listener from a signal that exists longer', async () => {
    const { signal } = new AbortController()
    const telephone = await connect({
      plugboard: plugboard.url,
      token: 'a.b.c',
      service: 'web',
      target: 1,
      signal,
    })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await telephone.close()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('rejects when its signal aborts', async () => {
    plugboard.refusal = { status: 503 }
    const controller = new AbortController()
    const connecting = connect({
      plugboard: plugboard.url,
      token: 'a.b.c',
      service: 'web',
      target: 1,
      signal: controller.signal,
    })
    await plugboard.until(p => p.dials > 0)
    controller.abort(new Error('enough'))
    await expect(connecting).rejects.toThrow('enough')
  })
})

describe('a generated host', () => {
  const generated = { service: 'tunnel-1', target: '127.0.0.1:1' }
  const startGenerated = () =>
    start({ services: [{ ...parseService(generated), generatedHost: 'brisk-otter' }] })

  it('that is in use is replaced by another one, on all tunnels', async () => {
    const proposed: string[] = []
    plugboard.judge = announce =>
      announce.services.map(({ service, mount, generatedHost = '', lifetimeMs }) => {
        expect([mount, lifetimeMs]).toEqual([undefined, 0])
        if (!proposed.includes(generatedHost)) proposed.push(generatedHost)
        return proposed.length < 4
          ? { service, accepted: false, code: 'mount_conflict', detail: 'taken', urls: [] }
          : { service, accepted: true, urls: [`http://${generatedHost}.localhost/`] }
      })
    startGenerated()
    const [result] = (await event('announced')).results
    expect(result).toMatchObject({ accepted: true, urls: [`http://${proposed[3]}.localhost/`] })
    await plugboard.until(p => p.live.length === 2)
    expect(new Set(plugboard.live.map(tunnel => tunnel.announce?.services[0]?.generatedHost))).toEqual(
      new Set([proposed[3]]),
    )
    expect(proposed[0]).toBe('brisk-otter')
    expect(new Set(proposed).size).toBe(4)
    for (const label of proposed) expect(label).toMatch(/^[a-z]+-[a-z]+(-\d+)?$/)
    expect(events.filter(({ kind }) => kind === 'announced')).not.toMatchObject([
      { results: [{ accepted: false }] },
    ])
  })

  it('is refused with the reason after several ones that were in use', async () => {
    let announcements = 0
    plugboard.judge = announce => {
      announcements += 1
      return announce.services.map(({ service }) => ({
        service,
        accepted: false,
        code: 'mount_conflict',
        detail: 'taken',
        urls: [],
      }))
    }
    startGenerated()
    expect((await event('announced')).results).toMatchObject([{ accepted: false, detail: 'taken' }])
    expect(announcements).toBeGreaterThanOrEqual(6)
    expect(announcements).toBeLessThan(15)
  })

  it('is an error with a remedy when Plugboard generates no hosts', async () => {
    startGenerated()
    expect((await event('announced')).results).toMatchObject([
      { accepted: false, detail: expect.stringContaining('pass --mount host/path') },
    ])
  })
})

it('announces the lifetime of a claimed mount', async () => {
  for (const [options, lifetimeMs] of [
    [{}, undefined],
    [{ ephemeral: true }, 0],
    [{ mountLifetimeMs: 90_000 }, 90_000],
    [{ mountLifetimeMs: 90_000, ephemeral: true }, 90_000],
  ] as const) {
    const telephone = start({}, { mount: 'app.test', ...options })
    await event('announced')
    const { services } = plugboard.tunnels.at(-1)!.announce!
    expect(services).toMatchObject([{ mount: 'app.test' }])
    expect(services[0]!.lifetimeMs).toBe(lifetimeMs)
    await telephone.close(0)
    events = []
  }
})
