// Tests that the command line repeats a creation whose connection was lost, and that the row is created once.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { useCommandLine } from '../../../test/support/admin-api/use-command-line.ts'

const { api, run, url } = useCommandLine()

/** Passes requests to the API, and closes the connection in place of the first response. Resolves with the result of `use`. */
async function withLostResponse<Result>(use: (url: string) => Promise<Result>): Promise<Result> {
  let isLost = false
  const server = createServer(async (request, response) => {
    const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    for (const name of ['connection', 'content-length', 'host']) headers.delete(name)
    const body = Buffer.concat(await request.toArray())
    const { method = 'GET' } = request
    const original = await fetch(url() + request.url, {
      method,
      headers,
      body: body.length === 0 ? null : body,
    })
    const text = await original.text()
    if (!isLost) {
      isLost = true
      request.socket.destroy()
    } else
      response
        .writeHead(original.status, { 'content-type': original.headers.get('content-type') ?? '' })
        .end(text)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('a service is created once when the first response is lost', async () => {
  const result = await withLostResponse(lost => run('service add kept', { url: lost }))
  expect(result).toMatchObject({ code: 0, out: 'service kept added\n' })
  expect((await api().call('GET', '/v1/changes?service=kept')).body.items).toHaveLength(1)
})

test('the secret of a token is lost with its response, and the error names the token', async () => {
  const { code, err } = await withLostResponse(lost => run('token issue --name once', { url: lost }))
  expect(code).toBe(1)
  expect(err).toMatch(/has created \/v1\/tokens\/[0-9a-f-]{36} already/)
})
