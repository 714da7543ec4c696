// The exchanges of all replicas over HTTP: the list and its event stream, one exchange and its exports, the entries of the change log, and
// the inspector in the policy of a service.

import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { beforeEach, describe, expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'
import { asServiceId } from '../../../common/ids/row-ids.ts'
import type { ReplayRequest, ReplayResult } from '../../../observe/exchanges/replay-types.ts'
import { DEFAULT_SERVICE_POLICY } from '../../../routes/options/service-policy.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

const ID = '0199a5f2-7c3a-7000-8000-000000000001'
const MASKED = '***0a1b2c'

function exchange(id: string, second: number, more: Partial<CapturedExchange> = {}): CapturedExchange {
  return {
    id,
    open: false,
    replayOf: null,
    serviceId: ID,
    scheme: 'https',
    request: {
      at: new Date(second * 1000).toISOString(),
      replicaId: 'r1',
      requestId: `request-${id}`,
      method: 'POST',
      host: 'a.test',
      path: '/x',
      status: 200,
      durationMs: 12,
      headMs: 10,
      bytesIn: 10,
      bytesOut: 2,
      remoteAddress: '192.0.2.1',
      service: 'shop',
      telephoneId: 't1',
    },
    received: {
      method: 'POST',
      target: `/x?token=${MASKED}&page=2`,
      fields: [
        ['Host', 'a.test'],
        ['Authorization', `Bearer ${MASKED}`],
        ['Content-Type', 'application/json'],
        ['X-Note', "it's\u001b[31m"],
      ],
      body: { bytes: 10, text: '{"a":"b"}', isCut: false, omitted: null },
      trailers: null,
    },
    interim: [],
    sent: {
      status: 200,
      statusText: 'OK',
      isLocal: false,
      fields: [['Content-Type', 'text/plain']],
      body: { bytes: 2, text: 'ok', isCut: false, omitted: null },
      trailers: null,
    },
    attempts: [],
    maskJson: [],
    ...more,
  }
}

const add = (each: CapturedExchange) => api.observation.inspector.ring.add(each, 0)
const ids = (items: { id: string }[]) => items.map(({ id }) => id)
const entries = async () => {
  const { body } = await api.call('GET', '/v1/changes?area=traffic')
  return body.items as { actor: string; after: Record<string, unknown> }[]
}

beforeEach(() => {
  api.services.push({ id: asServiceId(ID), name: 'shop', policy: DEFAULT_SERVICE_POLICY } as never)
})

describe('the list', () => {
  test('has the exchanges of all replicas, newest first, in pages', async () => {
    for (const second of [1, 3, 5]) add(exchange(`own-${second}`, second))
    add(exchange('of-another-service', 9, { serviceId: 'x' }))
    const { id, open, replayOf, request } = exchange('other-4', 4)
    const remote = { id, open, replayOf, request: { ...request, replicaId: 'r2', future: 1 }, future: 1 }
    api.remote.push({ replicaId: 'r2', respond: () => ({ items: [remote] }) })
    api.missing.push({ id: 'r3', reason: 'there is no link to it' })
    const first = (await api.call('GET', '/v1/services/shop/exchanges?limit=2')).body
    expect([ids(first.items), first.missingReplicas, first.inspectedUntil]).toEqual([
      ['own-5', 'other-4'],
      api.missing,
      null,
    ])
    api.remote.length = 0
    const second = (await api.call('GET', `/v1/services/${ID}/exchanges?limit=2&cursor=${first.next}`)).body
    expect([ids(second.items), second.next]).toEqual([['own-3', 'own-1'], null])
  })

  test('has the filters of the live log, and says until when the inspector runs', async () => {
    add(exchange('a', 1))
    const { request } = exchange('b', 2)
    add(exchange('b', 2, { request: { ...request, status: 503 } }))
    const until = new Date(Date.now() + 60_000).toISOString()
    api.services[0] = {
      ...api.services[0]!,
      policy: { ...DEFAULT_SERVICE_POLICY, inspect: { until, sample: 1, maxBodyBytes: 1, maskJson: [] } },
    }
    const { body } = await api.call('GET', '/v1/services/shop/exchanges?status=5xx')
    expect([ids(body.items), body.inspectedUntil]).toEqual([['b'], until])
    expect((await api.call('GET', '/v1/services/shop/exchanges?replica=r9')).body.items).toEqual([])
    expect((await api.call('GET', '/v1/services/shop/exchanges?service=x')).status).toBe(400)
    expect((await api.call('GET', '/v1/services/other/exchanges')).status).toBe(404)
  })

  test('sends new exchanges as events', async () => {
    const headers = { accept: 'text/event-stream' }
    const incoming = { socket: { remoteAddress: '127.0.0.1' } }
    const request = api.request('GET', '/v1/services/shop/exchanges?path=/a', { headers })
    const response = await api.app.fetch(request, { incoming })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const { inspector } = api.observation
    const capture = (path: string) => {
      const { request: line } = exchange(path, 1)
      const start = {
        serviceId: ID,
        rules: { maxBodyBytes: 1, maskJson: [] },
        scheme: 'http',
        replayOf: null,
      }
      inspector
        .begin({ ...start, method: 'GET', target: path, rawFields: [], line })
        .finish({ ...line, path }, [])
    }
    capture('/b')
    capture('/a')
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('event: exchange') && text.endsWith('\n\n')) break
    }
    expect([...text.matchAll(/event: (\w+)/g)].map(([, name]) => name)).toEqual(['replicas', 'exchange'])
    expect(text).toContain('"path":"/a"')
  })
})

describe('one exchange', () => {
  test('is found on this replica and on others', async () => {
    add(exchange('a', 1))
    const other = { ...exchange('b', 1), future: 1 }
    api.remote.push({
      replicaId: 'r2',
      respond: (_, params) => ({ exchange: 'id' in params && params.id === 'b' ? other : null }),
    })
    expect((await api.call('GET', '/v1/exchanges/a')).body).toEqual(exchange('a', 1))
    expect((await api.call('GET', '/v1/exchanges/b')).body).toEqual(exchange('b', 1))
    const missing = await api.call('GET', '/v1/exchanges/c')
    expect([missing.status, missing.body.detail]).toEqual([
      404,
      expect.stringContaining('newest 200 exchanges'),
    ])
  })

  test('is exported as HAR', async () => {
    add(exchange('a', 1))
    const { body } = await api.call('GET', '/v1/exchanges/a?format=har')
    expect(body.log).toMatchObject({
      version: '1.2',
      creator: { name: 'Plugboard' },
      entries: [
        {
          startedDateTime: new Date(988).toISOString(),
          time: 12,
          timings: { send: 0, wait: 10, receive: 2 },
          request: {
            method: 'POST',
            url: `https://a.test/x?token=${MASKED}&page=2`,
            httpVersion: 'HTTP/1.1',
            queryString: [
              { name: 'token', value: MASKED },
              { name: 'page', value: '2' },
            ],
            postData: { mimeType: 'application/json', text: '{"a":"b"}' },
          },
          response: { status: 200, content: { size: 2, mimeType: 'text/plain', text: 'ok' } },
        },
      ],
    })
  })

  test('is exported as a curl command without masked values and without control characters', async () => {
    add(exchange('a', 1))
    const { body, headers } = await api.call('GET', '/v1/exchanges/a?format=curl')
    expect(headers.get('content-type')).toMatch(/^text\/plain/)
    expect(body).toBe(
      [
        '# Left out, because they are masked: Authorization, token.',
        "curl 'https://a.test/x?page=2' \\",
        "  --request 'POST' \\",
        "  --header 'Content-Type: application/json' \\",
        "  --header $'X-Note: it\\'s\\x1b[31m' \\",
        '  --data-raw \'{"a":"b"}\'',
        '',
      ].join('\n'),
    )
  })
})

describe('access', () => {
  test('needs the scope traffic:read, and a service within the limits of the key', async () => {
    add(exchange('a', 1))
    const { key } = await api.key(['status:read', 'services:read'])
    for (const path of ['/v1/services/shop/exchanges', '/v1/exchanges/a'])
      expect((await api.call('GET', path, { key })).status).toBe(403)
    const limited = { name: 'limited', scopes: ['traffic:read'], limits: { services: ['other'], mounts: [] } }
    const { body } = await api.call('POST', '/v1/keys', { body: limited })
    for (const path of ['/v1/services/shop/exchanges', '/v1/exchanges/a'])
      expect((await api.call('GET', path, { key: body.key })).body.code).toBe('forbidden')
  })

  test('has one entry in the change log for each key, service and hour', async () => {
    add(exchange('a', 1))
    const one = await api.key(['traffic:read'])
    const other = await api.key(['traffic:read'])
    for (const { key } of [one, one, other]) {
      expect((await api.call('GET', '/v1/services/shop/exchanges', { key })).status).toBe(200)
      expect((await api.call('GET', '/v1/exchanges/a', { key })).status).toBe(200)
    }
    const found = await entries()
    expect(
      found
        .slice(0, 3)
        .map(({ actor }) => actor)
        .filter(actor => [one.id, other.id].some(id => actor.endsWith(id))),
    ).toEqual([`admin-key:${other.id}`, `admin-key:${one.id}`])
    expect(found[0]?.after).toMatchObject({ service: 'shop', kind: 'read', exchange: null })
  })
})

describe('a replay', () => {
  const replay = (body: unknown = {}, key?: string) =>
    api.call('POST', '/v1/exchanges/a/replay', { body, ...(key === undefined ? {} : { key }) })

  test('sends the edited request, and shows the new exchange with the differences', async () => {
    add(exchange('a', 1))
    const sent: ReplayRequest[] = []
    api.replay = request => {
      sent.push(request)
      const { sent: response } = exchange('b', 2)
      add(exchange('b', 2, { replayOf: 'a', sent: { ...response!, status: 201 } }))
      return Promise.resolve({ kind: 'sent', id: 'b' })
    }
    const { status, body } = await replay({ telephone: 'canary', fields: { 'X-Note': null } })
    expect(status).toBe(200)
    expect(sent).toMatchObject([
      {
        exchange: 'a',
        method: 'POST',
        target: '/x?page=2',
        fields: ['Content-Type', 'application/json'],
        telephone: 'canary',
      },
    ])
    expect(body).toMatchObject({
      exchange: { id: 'b', replayOf: 'a' },
      leftOut: ['token', 'Authorization'],
      diff: { status: { before: 200, after: 201 }, body: { equal: true } },
    })
    expect((await entries())[0]?.after).toMatchObject({ kind: 'replay', exchange: 'a', service: 'shop' })
  })

  test('needs the scope traffic:replay, and traffic:read for the response', async () => {
    add(exchange('a', 1))
    for (const scopes of [['traffic:read'], ['traffic:replay']]) {
      const { key } = await api.key(scopes)
      expect((await replay({}, key)).body.code).toBe('forbidden')
    }
    const { key } = await api.key(['traffic:read', 'traffic:replay'])
    expect((await replay({}, key)).status).toBe(503)
  })

  test.each<[ReplayResult, number, string]>([
    [{ kind: 'no_line' }, 409, 'The telephone "t9" is not connected'],
    [{ kind: 'other_service', service: 'cart' }, 409, 'to the service "cart"'],
    [{ kind: 'unrouted', meaning: 'No route.' }, 409, 'No route.'],
    [{ kind: 'busy' }, 503, 'Too many replays'],
    [{ kind: 'unavailable' }, 503, 'starting or stopping'],
    [{ kind: 'not_kept' }, 503, 'could not keep the exchange'],
  ])('responds to %j with %i', async (result, expected, text) => {
    add(exchange('a', 1))
    api.replay = () => Promise.resolve(result)
    const { status, body } = await replay({ telephone: 't9' })
    expect([status, body.detail]).toEqual([expected, expect.stringContaining(text)])
  })

  test.each([
    [{ method: 'get' }, '/method'],
    [{ target: 'x' }, '/target'],
    [{ fields: { 'a b': 'x' } }, '/fields/a b'],
    [{ fields: { a: 'x\ny' } }, '/fields/a'],
    [{ fields: { Host: 'x' } }, '/fields/Host'],
    [{ telephones: 'x' }, '/telephones'],
  ])('rejects %j', async (edits, pointer) => {
    add(exchange('a', 1))
    const { status, body } = await replay(edits)
    expect([status, body.errors?.[0]?.pointer ?? '']).toEqual([400, pointer])
  })
})

describe('the policy of a service', () => {
  const put = (inspect: unknown) =>
    api.call('POST', '/v1/services', {
      body: { name: `s${Math.random().toString(36).slice(2)}`, policy: { inspect } },
    })
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString()

  test('accepts an inspector of up to 24 h, with its defaults', async () => {
    const { status, body } = await put({
      until: soon(86_400_000),
      maskJson: ['/card/number', '/items/*/price'],
    })
    expect([status, body.policy.inspect.maskJson]).toEqual([201, ['/card/number', '/items/*/price']])
    expect((await put(null)).status).toBe(201)
  })

  test.each([
    [{ until: soon(86_400_000 + 600_000) }, '/policy/inspect/until', 'is more than 24 h from now'],
    [{ until: soon(-1000) }, '/policy/inspect/until', 'has passed'],
    [{ until: 'tomorrow' }, '/policy/inspect/until', 'is not a time'],
    [{ until: soon(1000), sample: 0 }, '/policy/inspect/sample', ''],
    [{ until: soon(1000), maxBodyBytes: 300_000 }, '/policy/inspect/maxBodyBytes', ''],
    [{ until: soon(1000), maskJson: ['card'] }, '/policy/inspect/maskJson/0', 'is not a path'],
    [{}, '/policy/inspect/until', ''],
  ])('rejects %j', async (inspect, pointer, detail) => {
    const { status, body } = await put(inspect)
    expect([status, body.errors[0]]).toMatchObject([
      400,
      { pointer, detail: expect.stringContaining(detail) },
    ])
  })

  test('keeps the inspector when a bundle is imported, and rejects one in a bundle', async () => {
    const inspect = { until: soon(60_000) }
    await api.call('POST', '/v1/services', { body: { name: 'shop', policy: { inspect, retries: 1 } } })
    const bundle = (policy: object) => ({ version: 1, services: [{ name: 'shop', policy }], routes: [] })
    expect(
      (await api.call('PUT', '/v1/bundle', { body: bundle({ retries: 1 }) })).body.services,
    ).toMatchObject({ unchanged: 1 })
    await api.call('PUT', '/v1/bundle', { body: bundle({ retries: 2 }) })
    expect((await api.call('GET', '/v1/services/shop')).body.policy).toMatchObject({ inspect, retries: 2 })
    const refused = await api.call('PUT', '/v1/bundle', { body: bundle({ inspect }) })
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, '/services/0/policy/inspect'])
  })
})
