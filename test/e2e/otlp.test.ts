// The export of metrics by real processes. The first export is a minute after the start, so the test reads the last one.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { expect, it, onTestFinished } from 'vitest'
import { send } from '../support/http/http-client.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

interface Point {
  readonly attributes: readonly { readonly key: string; readonly value: object }[]
  readonly count?: string
  readonly asDouble?: number
}
interface Body {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue: string } }[] }
    readonly scopeMetrics: readonly {
      readonly metrics: readonly { name: string; histogram?: { dataPoints: readonly Point[] } }[]
    }[]
  }[]
}

const bodies: Body[] = []
const collector = createServer(async (request, response) => {
  const chunks = await request.toArray()
  expect(request.url).toBe('/v1/metrics')
  bodies.push(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()) as Body)
  response.end('{}')
})
await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve))
const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
const withoutTraces = ['--trace-sample', '0']
const stack = useStack({
  plugboardArgs: [...withoutTraces, '--otlp-endpoint', endpoint],
  telephoneArgs: [...withoutTraces, '--otlp-endpoint', endpoint],
})

/** Returns the data points of a histogram that a program sent last. */
function pointsOf(program: string, metric: string): readonly Point[] {
  const ofProgram = bodies.flatMap(({ resourceMetrics }) =>
    resourceMetrics.filter(({ resource }) =>
      resource.attributes.some(({ key, value }) => key === 'service.name' && value.stringValue === program),
    ),
  )
  const metrics = ofProgram.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(scope => scope.metrics))
  return metrics.findLast(({ name }) => name === metric)?.histogram?.dataPoints ?? []
}

it('sends the metrics of Plugboard and of the Telephone when they stop', async () => {
  onTestFinished(() => void collector.close())
  for (let count = 0; count < 3; count += 1) {
    expect((await send({ port: stack.port, host: HOST, path: '/hello' })).status).toBe(200)
  }
  await stack.telephone.child.stop()
  await stack.plugboard.child.stop()
  expect(pointsOf('telephone', 'telephone.backend.seconds')).toMatchObject([
    { attributes: [{ key: 'service', value: { stringValue: SERVICE } }], count: '3' },
  ])
  const requests = pointsOf('plugboard', 'http.server.request.duration')
  expect(requests).toMatchObject([
    {
      attributes: [
        { key: 'plugboard.service', value: { stringValue: SERVICE } },
        { key: 'http.request.method', value: { stringValue: 'GET' } },
        { key: 'http.response.status_code', value: { intValue: '200' } },
        { key: 'url.scheme', value: { stringValue: 'http' } },
      ],
      count: '3',
    },
  ])
})
