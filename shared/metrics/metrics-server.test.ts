import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { silentLogger } from '../log.ts'
import { metricsOf } from './metric.ts'
import { type MetricsServer, startMetricsServer } from './metrics-server.ts'
import { Scraper } from './scraper.ts'

useLeakCheck()

let server: MetricsServer
let fails: boolean
let url: string

beforeEach(async () => {
  fails = false
  const scraper = new Scraper(() =>
    metricsOf(
      { up: { type: 'gauge', help: 'x', labels: [], unit: '1' } },
      {
        up: sink => {
          if (fails) throw new Error('no value')
          sink.value([], 1)
        },
      },
    ),
  )
  server = await startMetricsServer({ scraper, listen: { host: '127.0.0.1', port: 0 }, log: silentLogger })
  url = `http://127.0.0.1:${server.address.port}`
})
afterEach(() => server.stop())

it('serves the text to GET and its head to HEAD, without a key', async () => {
  const response = await fetch(`${url}/metrics?x=1`)
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
    '# HELP up x\n# TYPE up gauge\nup 1\n',
  ])
  expect(response.headers.get('content-encoding')).toBe('gzip')
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

it.each([
  ['GET', '/', 404],
  ['GET', '/v1/status', 404],
  ['GET', '/metrics/', 404],
  ['POST', '/metrics', 405],
])('refuses %s %s with %i', async (method, path, status) => {
  const response = await fetch(url + path, { method, ...(method === 'POST' && { body: 'x' }) })
  expect(response.status).toBe(status)
  await response.text()
})

it('responds with 500 when the metrics cannot be collected', async () => {
  fails = true
  const response = await fetch(`${url}/metrics`)
  expect([response.status, await response.text()]).toEqual([500, expect.stringContaining('log')])
})

it('closes open connections when it stops', async () => {
  const socket = connect(server.address.port, '127.0.0.1')
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  await server.stop()
  socket.destroy()
  await closed
  server = await startMetricsServer({
    scraper: new Scraper(() => []),
    listen: { host: '127.0.0.1', port: 0 },
    log: silentLogger,
  })
})
