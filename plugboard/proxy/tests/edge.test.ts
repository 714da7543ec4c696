// Cases of EDGE.md that cannot be rows of edge-rows.test.ts: the reason of an abort, which only this side of the tunnel has, and
// invalid values that are placed into a route directly, past the checks of requests and of the database.

import { beforeEach, expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'

useLeakCheck()

const proxy = useProxy()

beforeEach(() => {
  proxy.telephone.handler = call => call.respond(200, 'ok')
})

const H = 'Host: test\r\n'

it('F15 aborts the stream of a body that is shorter than its length with the reason cancelled', async () => {
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
  'H9 a fixed Host %j that is invalid in HTTP fails its request, and the tunnel stays open',
  async fixed => {
    proxy.harness.routes.push(harnessRoute({ host: 'bad', policy: { hostHeader: { fixed } } }))
    const response = await rawExchange(proxy.harness.port, 'GET / HTTP/1.1\r\nHost: bad\r\n\r\n')
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([500, 'internal_error'])
    expect((await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}\r\n`)).status).toBe(200)
    expect(proxy.telephone.calls.map(({ opening }) => opening.target)).toEqual(['/'])
    expect(proxy.telephone.session.state).toBe('open')
  },
)
