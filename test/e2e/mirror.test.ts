// Copies of requests for a canary (`mirror`) with a real Plugboard, two Telephone processes and backends on sockets. The canary
// gets copies with bodies; users get the responses of the stable version, also while the canary hangs or fails. `npm run soak --
// mirror` sends more requests for the shares.

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { EjectionsBody, StatusBody } from '../../plugboard/admin/api-types.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { SOAK_MS } from '../support/soak.ts'

const REQUESTS = SOAK_MS > 0 ? 20_000 : 300
const AT_ONCE = 8

interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const stack = useStack({ withoutTelephone: true })
const servers: Server[] = []
/** The requests that the canary has received since the test started. */
let copies: Received[]
/** How the canary responds. */
let respond: (response: ServerResponse) => void

async function startVersion(version: string, handle: (got: Received, response: ServerResponse) => void) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    handle({ method, url, headers, body: Buffer.concat(chunks).toString() }, response)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const target = (server.address() as AddressInfo).port
  await stack.startTelephone({ target, args: ['--service-version', version] })
}

beforeAll(async () => {
  await startVersion('1.0', ({ body }, response) => response.end(`stable ${body}`))
  await startVersion('2.0', (got, response) => {
    copies.push(got)
    respond(response)
  })
})
beforeEach(() => {
  copies = []
  respond = response => response.end('canary')
})
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** Sets the policy as an operator does: with a file. */
async function setMirror(mirror: object, more: object = {}): Promise<void> {
  const subsets = [{ name: 'canary', select: { version: '2.*' } }]
  const policy = { subsets, mirror: { to: 'canary', ...mirror }, ...more }
  await writeFile(join(stack.folder, 'policy.json'), JSON.stringify(policy))
  const result = await stack.plugboard.cli('service', 'set', SERVICE, '--policy-file', 'policy.json')
  expect(result).toMatchObject({ code: 0 })
}

/** Sends a request, which the stable version must serve. */
async function serve(method = 'GET', body = '', headers: Record<string, string> = {}): Promise<void> {
  const { status, text } = await send({
    port: stack.port,
    host: HOST,
    path: '/path?query=1',
    method,
    headers,
    ...(body !== '' && { body }),
  })
  expect([status, text]).toEqual([200, `stable ${body}`])
}

async function serveMany(count: number): Promise<void> {
  let left = count
  const client = async () => {
    while (left > 0) {
      left -= 1
      await serve()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))
}

const received = (count: number) =>
  eventually(`the canary receives ${count} copies`, () => (copies.length >= count ? copies : undefined))

async function counts(): Promise<{ mirrored: number; failures: number; skipped: number }> {
  const { traffic } = await stack.plugboard.call<StatusBody>('GET', '/v1/status')
  const { mirrored = 0, mirrorFailures = 0, mirrorsSkipped = 0 } = traffic ?? {}
  return { mirrored, failures: mirrorFailures, skipped: mirrorsSkipped }
}

it('sends copies of requests with their bodies and one more field, by method', async () => {
  await setMirror({ percent: 100 })
  await serve('POST', 'not copied')
  await serve('GET', '', { 'plugboard-mirror': 'of the client', 'x-request-id': 'id-of-the-client' })
  const [copy] = await received(1)
  expect(copy).toMatchObject({
    method: 'GET',
    url: '/path?query=1',
    headers: { host: HOST, 'plugboard-mirror': '1', 'x-request-id': 'id-of-the-client' },
  })
  await setMirror({ percent: 100, methods: ['POST'], maxBodyBytes: 60_000 })
  const body = 'x'.repeat(60_000)
  await serve('POST', body)
  await received(2)
  expect(copies[1]).toMatchObject({ method: 'POST', body })
  const before = await counts()
  await serve('POST', `${body}x`)
  await serve('POST', 'last')
  expect((await received(3))[2]).toMatchObject({ body: 'last' })
  expect((await counts()).skipped).toBe(before.skipped + 1)
})

it('copies the percentage of the requests, and none with 0', async () => {
  await setMirror({ percent: 0 })
  await serveMany(20)
  await setMirror({ percent: 25 })
  const before = await counts()
  await serveMany(REQUESTS)
  const after = await counts()
  const tried = after.mirrored - before.mirrored + (after.skipped - before.skipped)
  // Six times the deviation.
  expect(Math.abs(tried / REQUESTS - 0.25)).toBeLessThan(6 * Math.sqrt((0.25 * 0.75) / REQUESTS))
  expect((await received(after.mirrored - before.mirrored)).length).toBe(after.mirrored - before.mirrored)
})

it('a canary that hangs delays no request, gets a bounded number of copies, and they end in time', async () => {
  const held: ServerResponse[] = []
  respond = response => void held.push(response)
  await setMirror({ percent: 100 }, { responseHeadTimeoutMs: 20_000 })
  const before = await counts()
  for (let sent = 0; sent < 20; sent += 1) await serve()
  await received(10)
  const hanging = await counts()
  expect([hanging.mirrored - before.mirrored, hanging.skipped - before.skipped]).toEqual([10, 10])
  for (const response of held.splice(0)) response.end()
  await setMirror({ percent: 100 }, { responseHeadTimeoutMs: 300 })
  // The copies above end in any case before the next ones start.
  await eventually('a copy is sent again', async () => {
    await serve()
    return (await counts()).mirrored > hanging.mirrored ? true : undefined
  })
  await eventually('a copy fails at its deadline', async () =>
    (await counts()).failures > hanging.failures ? true : undefined,
  )
  for (const response of held) response.destroy()
})

it('a canary that fails has no effect on real requests, and is not ejected', async () => {
  await setMirror({ percent: 100 }, { breaker: { minRequests: 1, errorPercent: 1 } })
  respond = response => response.writeHead(503).end()
  const before = await counts()
  for (let sent = 0; sent < 15; sent += 1) await serve()
  respond = response => response.destroy()
  for (let sent = 0; sent < 15; sent += 1) await serve()
  const after = await eventually('all copies have failed', async () => {
    const now = await counts()
    const sent = now.mirrored - before.mirrored
    return sent + now.skipped - before.skipped === 30 && now.failures - before.failures === sent
      ? now
      : undefined
  })
  expect(after.mirrored).toBeGreaterThan(before.mirrored)
  const { items } = await stack.plugboard.call<EjectionsBody>('GET', '/v1/ejections')
  expect(items).toEqual([])
})

it('a copy that hangs does not delay the end of Plugboard', async () => {
  respond = () => undefined
  await setMirror({ percent: 100 }, { responseHeadTimeoutMs: 3_600_000 })
  const before = copies.length
  await serve()
  await received(before + 1)
  expect(await stack.plugboard.child.stop()).toMatchObject({ code: 0 })
})
