import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openRequest } from '../../test/support/http/http-client.ts'
import { type InspectorServer, startInspectorServer } from './inspector-server.ts'
import { TelephoneInspector } from './telephone-inspector.ts'

const errors: string[] = []
let inspector: TelephoneInspector
let server: InspectorServer

beforeEach(async () => {
  errors.length = 0
  const log = { ...silentLogger, error: (message: string) => errors.push(message) }
  inspector = new TelephoneInspector({ name: 'laptop', backendOf: () => undefined, log })
  server = await startInspectorServer({ inspector, listen: { host: '127.0.0.1', port: 0 }, log })
})
afterEach(async () => {
  inspector.stop()
  await server.stop()
})

it('logs no error when a client leaves before the end of its body', async () => {
  const { request, response } = openRequest({
    port: server.address.port,
    method: 'POST',
    path: '/v1/exchanges/1/replay',
    headers: { 'content-length': '100', expect: '100-continue' },
    body: new PassThrough(),
  })
  request.on('error', () => undefined)
  await once(request, 'continue')
  // The client's end and this one look the same to the handler.
  await server.stop()
  await expect(response).rejects.toThrow()
  expect(errors).toEqual([])
})
