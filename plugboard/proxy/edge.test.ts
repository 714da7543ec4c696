// Cases of EDGE.md that only this side of the tunnel has: the reason of an abort, and values that no Host of a client and no
// service of the database can have. edge-rows.test.ts runs the rows.

import { beforeEach, expect, it } from 'vitest'
import { harnessRoute } from '../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../test/support/harness/use-proxy.ts'
import { field, rawExchange } from '../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../test/support/leak-check.ts'

useLeakCheck()

const proxy = useProxy()

beforeEach(() => {
  proxy.telephone.handler = call => call.respond(200, 'ok')
})

const H = 'Host: test\r\n'

it('F15 the abort of a body shorter than its length has the reason cancelled', async () => {
  proxy.telephone.handler = undefined
  const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`)
  const call = await proxy.telephone.nextCall()
  await call.untilReceived(3)
  connection.end()
  expect((await call.aborted).reason).toBe('cancelled')
  await connection.readToEnd()
  connection.destroy()
})

it.each([
  ['GET http://x-real-ip/', '6.6.6.6', 'x-real-ip', 'preserve', 'x-real-ip'],
  ['GET http://content-length/', '5', 'content-length', 'preserve', 'content-length'],
  ['GET /', '6.6.6.6', '6.6.6.6', { fixed: 'x-real-ip' }, 'x-real-ip'],
  ['GET /', '6.6.6.6', '6.6.6.6', 'backend', undefined],
] as const)(
  'H1 "%s" with Host %s and a field whose value is "Host" reaches the backend unchanged',
  async (start, written, host, hostHeader, forwarded) => {
    proxy.harness.routes.push(harnessRoute({ host, policy: { hostHeader } }))
    const fields = `X-Before: Host\r\nX-Removed: 1\r\nHost: ${written}\r\nConnection: X-Removed\r\n`
    await rawExchange(proxy.harness.port, `${start} HTTP/1.1\r\n${fields}\r\n`)
    const call = proxy.telephone.calls[0]
    expect(call?.field('x-before')).toBe('Host')
    expect(call?.field('host')).toBe(forwarded)
    expect(call?.fields('x-real-ip')).toEqual(['127.0.0.1'])
    expect(call?.field('content-length')).toBeUndefined()
  },
)

it.each(['h\u0100X-Forwarded-For\u01006.6.6.6', 'h\r\nX: y', 'h\0X\0y'])(
  'H9 a fixed Host %j that has passed its schema fails the request, and not the tunnel',
  async fixed => {
    proxy.harness.routes.push(harnessRoute({ host: 'bad', policy: { hostHeader: { fixed } } }))
    const response = await rawExchange(proxy.harness.port, 'GET / HTTP/1.1\r\nHost: bad\r\n\r\n')
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([500, 'internal_error'])
    expect((await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}\r\n`)).status).toBe(200)
    expect(proxy.telephone.calls.map(({ opening }) => opening.target)).toEqual(['/'])
    expect(proxy.telephone.session.state).toBe('open')
  },
)
