import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Finding } from '../finding.ts'
import { checkPublicUrl } from './public-url-check.ts'

const NAME = 'plugboard-0123456789abcdef'
let server: Server | undefined
afterEach(async () => {
  server?.closeAllConnections()
  await new Promise(resolve => {
    if (server === undefined) resolve(undefined)
    else server.close(resolve)
  })
  server = undefined
})

async function check(respond: RequestListener): Promise<Finding> {
  const opened = createServer(respond)
  server = opened
  await new Promise<void>(resolve => {
    opened.listen(0, '127.0.0.1', resolve)
  })
  const { port } = opened.address() as AddressInfo
  return await checkPublicUrl({
    publicUrl: `http://u:geheim@127.0.0.1:${port}/x`,
    names: [NAME, 'plugboard-1'],
  })
}

describe('the check of publicUrl', () => {
  it('is ok when this Plugboard responds, and sends no credential of the URL', async () => {
    let asked = ''
    const finding = await check((req, res) => {
      asked = `${req.url} ${req.headers.authorization}`
      res.end(JSON.stringify({ instance: NAME }))
    })
    expect(finding.state).toBe('ok')
    expect(asked).toBe('/_plugboard/instance undefined')
  })

  it('fails for another Plugboard, and names both instances', async () => {
    const finding = await check((_req, res) => res.end('{"instance":"plugboard-ff"}'))
    expect(finding).toMatchObject({ state: 'failed', detail: expect.stringContaining('plugboard-ff') })
    expect(finding.detail).toContain(NAME)
    expect(JSON.stringify(finding)).not.toContain('geheim')
  })

  it.each([
    ['an older Plugboard', 404, { 'Plugboard-Error': 'route_not_found' }, 'warning', 'older than 0.2.0'],
    ['another server', 200, { Server: 'nginx' }, 'failed', 'Another server (nginx) responds'],
    ['a redirect', 308, { Location: 'https://b.test/' }, 'failed', 'redirects to https://b.test/'],
  ])('finds %s', async (_name, status, fields, state, text) => {
    const finding = await check((_req, res) => res.writeHead(status, fields).end('<html>'))
    expect(finding).toMatchObject({ state, detail: expect.stringContaining(text) })
  })

  it('reads no more than a few kilobytes of a response', async () => {
    const finding = await check((_req, res) => res.end('x'.repeat(10_000_000)))
    expect(finding.state).toBe('failed')
  })

  it('fails when the port refuses connections, and when the name is unknown', async () => {
    // The port was free a moment ago.
    const closed = createServer()
    await new Promise<void>(resolve => {
      closed.listen(0, '127.0.0.1', resolve)
    })
    const { port } = closed.address() as AddressInfo
    await new Promise(resolve => {
      closed.close(resolve)
    })
    const refused = await checkPublicUrl({ publicUrl: `http://127.0.0.1:${port}`, names: [NAME] })
    expect(refused.detail).toContain('refuses connections')
    const send = () =>
      Promise.reject(
        new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ENOTFOUND' }) }),
      )
    const unresolved = await checkPublicUrl({ publicUrl: 'http://a.test', names: [NAME], send })
    expect(unresolved).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('cannot be resolved'),
    })
  })

  it('cannot tell without a response in time, or without the setting', async () => {
    const send = () => Promise.reject(new DOMException('late', 'TimeoutError'))
    const late = await checkPublicUrl({ publicUrl: 'http://a.test', names: [NAME], send })
    expect(late).toMatchObject({
      state: 'unknown',
      remedy: expect.stringContaining('curl -i http://a.test/_plugboard/instance'),
    })
    expect((await checkPublicUrl({ publicUrl: undefined, names: [NAME] })).state).toBe('unknown')
  })
})
