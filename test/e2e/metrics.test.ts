// The metrics of real processes: Plugboard, Telephone and backend. Each documented metric is served, on both ports, and the numbers
// of a request are the same on both.

import { expect, it } from 'vitest'
import { PLUGBOARD_METRICS } from '../../plugboard/metrics/plugboard-metrics.ts'
import { TELEPHONE_METRICS } from '../../telephone/metrics/telephone-metrics.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { freePort } from '../support/process/free-port.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { TelephoneProcess } from '../support/programs/telephone-process.ts'

const metricsPort = await freePort()
const telephonePort = await freePort()
const stack = useStack({
  plugboardArgs: ['--metrics-listen', `127.0.0.1:${metricsPort}`],
  telephoneArgs: ['--metrics-listen', `127.0.0.1:${telephonePort}`],
})

const scrape = async (port = metricsPort): Promise<string> => {
  const { status, body } = await send({ port, path: '/metrics' })
  expect(status).toBe(200)
  return body.toString()
}
const value = (text: string, series: string): number | undefined => {
  const line = text.split('\n').find(each => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

it('serves each metric of the table without a key on metricsListen, and nothing else', async () => {
  const text = await scrape()
  const names = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name, type])
  expect(names).toEqual(Object.entries(PLUGBOARD_METRICS).map(([name, { type }]) => [name, type]))
  for (const path of ['/', '/v1/status', '/livez'])
    expect((await send({ port: metricsPort, path })).status).toBe(404)
})

it('serves the same text on the admin port with a key, and refuses a request without one', async () => {
  const { status, body } = await stack.plugboard.api('GET', '/metrics')
  expect([status, body.toString().includes('plugboard_build_info')]).toEqual([200, true])
  expect((await send({ port: stack.plugboard.adminPort, path: '/metrics' })).status).toBe(401)
})

it('counts a request, and splits its time into tunnel and backend', async () => {
  await eventually('the service responds', async () =>
    (await send({ port: stack.port, host: HOST, path: '/hello' })).status === 200 ? true : undefined,
  )
  const before = await scrape()
  await send({ port: stack.port, host: HOST, path: '/hello' })
  const after = await scrape()
  const increase = (series: string): number => (value(after, series) ?? 0) - (value(before, series) ?? 0)
  const part = (name: string, what: string): string => `${name}_${what}{service="${SERVICE}",subset=""}`
  expect(
    increase(
      `http_server_request_duration_seconds_count{plugboard_service="${SERVICE}",http_request_method="GET",http_response_status_code="200",url_scheme="http",error_type=""}`,
    ),
  ).toBe(1)
  expect(
    increase(`plugboard_route_requests_total{route="${HOST}",service="${SERVICE}",code_class="2xx"}`),
  ).toBe(1)
  expect(increase(part('plugboard_response_head_seconds', 'count'))).toBe(1)
  expect(increase(part('plugboard_backend_seconds', 'count'))).toBe(1)
  const head = increase(part('plugboard_response_head_seconds', 'sum'))
  const backend = increase(part('plugboard_backend_seconds', 'sum'))
  expect(backend).toBeGreaterThan(0)
  expect(head).toBeGreaterThan(backend)
})

it('shows tunnels, lines, changes and the database', async () => {
  const text = await scrape()
  expect(value(text, 'plugboard_tunnels')).toBeGreaterThan(0)
  expect(value(text, `plugboard_lines{service="${SERVICE}",health="up"}`)).toBeGreaterThan(0)
  expect(value(text, 'plugboard_database_up')).toBe(1)
  expect(value(text, 'plugboard_changes_applied')).toBe(value(text, 'plugboard_changes_latest'))
  expect(value(text, 'plugboard_change_lag_seconds_count')).toBeGreaterThan(0)
  expect(value(text, 'plugboard_tunnel_rtt_seconds_count')).toBeGreaterThan(0)
  expect(value(text, 'plugboard_tunnel_bytes_total{direction="received"}')).toBeGreaterThan(0)
  expect(value(text, 'process_open_fds')).toBeGreaterThan(0)
})

it('serves the metrics of the Telephone: tunnels, and times and failures of its backend', async () => {
  const before = await scrape(telephonePort)
  const names = [...before.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name)
  expect(names).toEqual(Object.keys(TELEPHONE_METRICS))
  expect(value(before, 'telephone_tunnels{state="ready"}')).toBeGreaterThan(0)
  const series = `telephone_backend_seconds_count{service="${SERVICE}"}`
  await send({ port: stack.port, host: HOST, path: '/hello' })
  const after = await scrape(telephonePort)
  expect((value(after, series) ?? 0) - (value(before, series) ?? 0)).toBe(1)
})

it('ends a Telephone whose address for metrics is taken, with the remedy', async () => {
  const { processes, plugboard, backend, token } = stack
  const args = ['--metrics-listen', `127.0.0.1:${metricsPort}`]
  const { child } = TelephoneProcess.launch({
    processes,
    plugboard,
    target: backend.port,
    token,
    service: SERVICE,
    args,
  })
  child.expectedToExit = true
  child.expectedExitCodes = [1]
  expect(await child.exited).toMatchObject({ code: 1 })
  expect(child.output).toContain('--metrics-listen')
})
