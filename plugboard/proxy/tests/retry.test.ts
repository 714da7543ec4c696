// Failed attempts that are retried on another line, and the response when no other line is left.

import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import { describe, expect, it } from 'vitest'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { asTunnelId } from '../../registry/line-ids.ts'

useLeakCheck()

let first: CutTelephone
let second: CutTelephone

const proxy = useProxy({}, async harness => {
  // Round robin starts with the first line, for every number of streams on the second.
  harness.routes = [harnessRoute({ host: 'test', policy: { balancing: 'round_robin' } })]
  first = await harness.telephone()
  second = await harness.telephone()
  second.handler = call => call.respond(200, 'second')
  return first
})

const request = (method: string, body = ''): Promise<RawResponse> =>
  rawExchange(
    proxy.harness.port,
    `${method} / HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    method,
  )

const code = (response: RawResponse): string | undefined => field(response.headers, 'plugboard-error')

describe('retries every method on another line when the request was not delivered', () => {
  it.each<Reason>([
    'refused',
    'draining',
    'overloaded',
    'unknown_service',
    'backend_unreachable',
    'unauthorized',
  ])('%s', async reason => {
    first.handler = call => call.stream.reset(reason)
    expect((await request('POST', 'body')).body.toString()).toBe('second')
    expect((await second.calls[0]?.ended)?.body.toString()).toBe('body')
    expect(proxy.harness.proxy.counters.retries).toBe(1)
  })
})

it.each([
  ['POST', 'telephone_lost', 0],
  ['GET', undefined, 1],
])(
  'a %s that is left when the grace of a drain ends is repeated only where that is safe',
  async (method, wanted, calls) => {
    first.handler = call => void first.session.drain(20).then(() => call)
    const response = await request(method)
    expect([code(response), second.calls.length]).toEqual([wanted, calls])
  },
)

describe('a body that is longer than the kept copy', () => {
  const body = 'x'.repeat(1_000_000)

  it('is sent to another line when the first one has not accepted the stream', async () => {
    first.handler = async call => {
      call.autoConsume = false
      await call.untilReceived(65_536)
      call.stream.reset('refused')
    }
    second.handler = call => void call.ended.then(() => call.respond(200, 'second'))
    expect((await request('POST', body)).body.toString()).toBe('second')
    expect((await second.calls[0]?.ended)?.body.toString()).toBe(body)
    expect([first.calls[0]?.receivedBytes, proxy.harness.proxy.counters.retries]).toEqual([65_536, 1])
  })

  it('fails once the first line has accepted it', async () => {
    first.handler = async call => {
      await call.untilReceived(300_000)
      call.stream.reset('refused')
    }
    expect(code(await request('POST', body))).toBe('no_telephone')
  })
})

describe('the request may have been delivered', () => {
  it.each<Reason>(['session_lost', 'going_away', 'replaced', 'backend_closed', 'internal_error'])(
    '%s: idempotent methods continue',
    async reason => {
      first.handler = call => call.stream.reset(reason)
      expect((await request('PUT', 'body')).body.toString()).toBe('second')
    },
  )

  it.each<[Reason, string]>([
    ['session_lost', 'telephone_lost'],
    ['backend_closed', 'backend_closed'],
  ])('%s: other methods get 502 %s', async (reason, expected) => {
    first.handler = call => call.stream.reset(reason)
    const response = await request('POST', 'body')
    expect([response.status, code(response)]).toEqual([502, expected])
    expect(second.calls).toHaveLength(0)
  })

  it.each<[Reason, number]>([
    ['backend_timeout', 504],
    ['backend_protocol_error', 502],
    ['payload_too_large', 413],
  ])('%s is not retried', async (reason, status) => {
    first.handler = call => call.stream.reset(reason)
    expect((await request('GET')).status).toBe(status)
    expect(second.calls).toHaveLength(0)
  })

  it.each([
    ['two lengths', ': two lengths.'],
    ['backend_protocol_error: two lengths', ': two lengths.'],
    ['backend_protocol_error', '.'],
    ['', '.'],
    ['a field Authorization: Bearer abcdefghijk12345', ': a field Authorization: Bearer ***.'],
    ['x'.repeat(500), `: ${'x'.repeat(200)}….`],
  ])('names the rule that a response has violated: %s', async (detail, rest) => {
    first.handler = call => call.stream.reset('backend_protocol_error', detail)
    const problem = JSON.parse((await request('GET')).body.toString())
    expect(problem.detail).toBe(`The backend sent a response that is not valid HTTP${rest}`)
  })

  it('a telephone that is killed', async () => {
    first.handler = () => first.cut()
    expect((await request('GET')).body.toString()).toBe('second')
    first.handler = () => first.cut()
  })

  it('does not retry once a head has arrived, even a 1xx', async () => {
    first.handler = call => {
      call.stream.respond({ status: 103, statusText: '', fields: [] })
      call.stream.reset('session_lost')
    }
    expect((await request('GET')).status).toBe(502)
  })
})

it('keeps a body of up to 64 KiB for another line, but not a longer one', async () => {
  first.handler = call => {
    call.ended.then(
      () => call.stream.reset('refused'),
      () => undefined,
    )
  }
  const fits = 'x'.repeat(65_536)
  expect((await request('POST', fits)).body.toString()).toBe('second')
  expect((await second.calls[0]?.ended)?.body.toString()).toBe(fits)
  second.handler = first.handler
  const response = await request('POST', `${fits}y`)
  expect([response.status, code(response)]).toEqual([503, 'no_telephone'])
})

it('continues a request on another line while the client is still sending it', async () => {
  first.handler = call => {
    void call.untilReceived(3).then(() => call.stream.reset('refused'))
  }
  second.handler = undefined
  const connection = await proxy.send(
    'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
  )
  const call = await second.nextCall()
  await call.untilReceived(3)
  await connection.send('3\r\ndef\r\n0\r\nX-Sum: 1\r\n\r\n')
  expect(await call.ended).toEqual({ body: Buffer.from('abcdef'), trailers: ['X-Sum', '1'] })
  call.respond(200, 'ok')
  expect((await connection.readResponse()).status).toBe(200)
  connection.destroy()
})

it('retries at most policy.retries times, and never uses the same line twice', async () => {
  const third = await proxy.harness.telephone()
  for (const each of [first, second, third]) each.handler = call => call.stream.reset('backend_unreachable')
  const response = await request('GET')
  expect([response.status, code(response)]).toEqual([502, 'backend_unreachable'])
  expect([first, second, third].map(each => each.calls.length)).toEqual([1, 1, 1])
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: { balancing: 'round_robin', retries: 0 } })]
  await request('GET')
  expect([first, second, third].flatMap(each => each.calls)).toHaveLength(4)
})

it('tries another process before the second tunnel of the failed one', async () => {
  const twin = await proxy.harness.telephone(['web'], { instance: 'instance-1' })
  twin.handler = call => call.respond(200, 'twin')
  proxy.harness.registry.replace(
    asTunnelId('tunnel-3'),
    [...proxy.harness.registry.linesOfTunnel(asTunnelId('tunnel-3'))].map(line => ({
      ...line,
      weight: 1000,
    })),
  )
  first.handler = call => call.stream.reset('backend_unreachable')
  twin.handler = call => call.stream.reset('backend_unreachable')
  expect((await request('GET')).body.toString()).toBe('second')
  expect(first.calls.length + twin.calls.length).toBe(1)
})

it('skips a line at its limit of streams; responds with 503 overloaded when all lines are at their limit', async () => {
  await proxy.restart({}, harness => harness.telephone(['web'], { maxStreams: 0 }))
  const only = proxy.telephone
  const response = await request('GET')
  expect([response.status, code(response), only.calls.length]).toEqual([503, 'overloaded', 0])
  second = await proxy.harness.telephone()
  second.handler = call => call.respond(200, 'second')
  expect((await request('GET')).body.toString()).toBe('second')
})

it('a service at its own limit of streams', async () => {
  await proxy.restart({}, harness => harness.telephone())
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: { maxStreams: 1 } })]
  const { telephone } = proxy
  const held = request('GET')
  const call = await telephone.nextCall()
  expect(code(await request('GET'))).toBe('overloaded')
  call.respond(200, 'x')
  expect((await held).status).toBe(200)
  telephone.handler = next => next.respond(200, 'x')
  expect((await request('GET')).status).toBe(200)
})

it('responds with 431 when the tunnel of another replica does not accept the head, as for a local tunnel', async () => {
  const across = await ProxyHarness.start({ replicaId: asReplicaId('r2') })
  const telephone = await across.telephone()
  // The reason that the relay sends.
  telephone.handler = call => call.stream.reset('payload_too_large')
  const response = await rawExchange(across.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  expect([response.status, code(response)]).toEqual([431, 'headers_too_large'])
  await across.close()
})
