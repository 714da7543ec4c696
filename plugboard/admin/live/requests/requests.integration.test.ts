// The requests of all replicas over HTTP: the list, the explanation, and the live log as an event stream.

import { describe, expect, test } from 'vitest'
import type { AdminApiHarness, CallOptions } from '../../../../test/support/admin-api/admin-api.ts'
import { sampleFailure } from '../../../../test/support/admin-api/sample-failure.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'
import { eventually } from '../../../../test/support/deadline.ts'
import type { FailedRequest } from '../../../observe/requests/failed-request.ts'
import { MAX_WAITING_ITEMS } from './live-viewer.ts'

let api: AdminApiHarness
const database = useAdminApi(created => {
  api = created
})

const failed = (
  requestId: string,
  second: number,
  values: Partial<FailedRequest['request']> = {},
): FailedRequest => ({
  ...sampleFailure(requestId, second, {
    service: 'shop',
    code: 'backend_unreachable',
    cause: 'connection_refused',
    ...values,
  }),
  attempts: [
    {
      telephone: 't1',
      replicaId: 'r1',
      code: 'backend_unreachable',
      cause: 'connection_refused',
      detail: null,
      afterMs: 1,
    },
  ],
  lines: { total: 1, serving: 1, items: [{ telephone: 't1', replicaId: 'r1', state: 'serving' }] },
})

const add = (entry: FailedRequest) => api.observation.failures.add('failed', entry)
const list = async (query = '') => (await api.call('GET', `/v1/requests${query}`)).body
const ids = (items: { requestId: string }[]) => items.map(({ requestId }) => requestId)

/** Another replica with these failed requests. It has keys of a newer version. */
function remote(replicaId: string, entries: readonly FailedRequest[]): void {
  const newer = entries.map(entry => ({ ...entry, future: 1, request: { ...entry.request, future: 1 } }))
  api.remote.push({
    replicaId,
    respond: name => ({ items: name === 'failed-request' ? newer : newer.map(({ request }) => request) }),
  })
}

test('lists the requests of all replicas, newest first, in pages', async () => {
  for (const second of [1, 3, 5]) add(failed(`own-${second}`, second))
  remote('r2', [failed('other-4', 4, { replicaId: 'r2' })])
  api.missing.push({ id: 'r3', reason: 'there is no link to it' })
  const first = await list('?limit=2')
  expect([ids(first.items), first.missingReplicas]).toEqual([['own-5', 'other-4'], api.missing])
  api.remote.length = 0
  const second = await list(`?limit=2&cursor=${first.next}`)
  expect([ids(second.items), second.next]).toEqual([['own-3', 'own-1'], null])
})

test('filters the list', async () => {
  add(failed('a', 1))
  add(failed('b', 2, { status: 504, service: 'cart' }))
  expect(ids((await list('?status=504')).items)).toEqual(['b'])
  expect(ids((await list('?service=shop&status=5xx')).items)).toEqual(['a'])
  expect(ids((await list('?replica=r9')).items)).toEqual([])
})

test.each([
  ['status=6xx', 'status'],
  ['status=5xx,', 'status'],
  ['status=', 'status'],
  [`status=${Array.from({ length: 11 }, () => '404').join()}`, 'status'],
  ['path=x', 'path'],
  ['method=a%20b', 'method'],
  ['service=', 'service'],
  [`service=${'x'.repeat(301)}`, 'service'],
  ['sevice=shop', 'sevice'],
  ['status=5xx&status=404', 'status'],
])('refuses the filter %s of the list and of the stream, and names it', async (query, parameter) => {
  for (const path of ['/v1/requests', '/v1/requests/stream']) {
    const { status, body } = await api.call('GET', `${path}?${query}`)
    expect([status, body.errors]).toMatchObject([400, [{ parameter }]])
  }
})

describe('explain', () => {
  test('has the request, its attempts, the lines and the next steps', async () => {
    add(failed('0199a5f2-7c3a-7000-8000-000000000001', 1))
    const { status, body } = await api.call('GET', '/v1/requests/0199a5f2-7c3a')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      request: { requestId: '0199a5f2-7c3a-7000-8000-000000000001', service: 'shop' },
      meaning: expect.stringContaining('refused the connection'),
      attempts: [{ telephone: 't1' }],
      lines: { total: 1 },
      next: ['Start the backend, or correct the target.', expect.stringContaining('telephone check')],
      missingReplicas: [],
    })
  })

  test('finds a request of another replica, and removes keys of a newer version', async () => {
    remote('r2', [failed('only-on-r2', 1, { replicaId: 'r2' })])
    const { body } = await api.call('GET', '/v1/requests/only-on-r2')
    expect([body.request.replicaId, 'future' in body.request]).toEqual(['r2', false])
  })

  test('explains a status of the backend itself, and an early end of the client', async () => {
    add(failed('status-of-backend', 1, { code: undefined, cause: undefined, status: 500 }))
    add(failed('client-closed', 1, { code: undefined, cause: undefined, status: 499 }))
    const backend = (await api.call('GET', '/v1/requests/status-of-backend')).body
    expect(backend.meaning).toBe('The backend responded with the status 500.')
    const client = (await api.call('GET', '/v1/requests/client-closed')).body
    expect(client.meaning).toBe('The client closed the connection before a response began.')
  })

  test('asks for a longer prefix when several requests begin with it', async () => {
    add(failed('0199a5f2-1', 1))
    add(failed('0199a5f2-2', 2))
    const { status, body } = await api.call('GET', '/v1/requests/0199a5f2')
    expect([status, body.detail]).toEqual([
      409,
      'Several requests begin with this text. Give one of: 0199a5f2-2, 0199a5f2-1',
    ])
    expect((await api.call('GET', '/v1/requests/0199a5f')).status).toBe(400)
  })

  test('names the reasons of a missing request, and the replicas that sent no response', async () => {
    api.missing.push({ id: 'r3', reason: 'it did not respond within 2 s' })
    const { status, body } = await api.call('GET', '/v1/requests/absent-request')
    expect([status, body.code]).toEqual([404, 'not_found'])
    expect(body.detail).toContain('may have it: r3 (it did not respond within 2 s).')
  })
})

const open = async (path: string, options: CallOptions = {}) =>
  await api.app.fetch(api.request('GET', path, options), {
    incoming: { socket: { remoteAddress: '127.0.0.1' } },
  })

/** Reads events until `count` of this name have arrived, or the stream ends. Then closes the stream. */
async function events(response: Response, name: string, count: number): Promise<unknown[]> {
  const found: unknown[] = []
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (block.includes(`event: ${name}`) && data !== undefined) found.push(JSON.parse(data))
    }
    if (found.length >= count) break
  }
  return found
}

const publish = (path: string) =>
  api.observation.liveLog.publish(
    {
      requestId: 'r',
      method: 'GET',
      host: 'a.test',
      path,
      status: 200,
      durationMs: 1,
      bytesIn: 0,
      bytesOut: 0,
      remoteAddress: '',
    },
    0,
    0,
  )

describe('the live log', () => {
  test('sends the replicas that it follows, then the lines that the filter selects', async () => {
    const response = await open('/v1/requests/stream?path=/a')
    publish('/a1')
    publish('/b')
    publish('/a2')
    expect(await events(response, 'request', 2)).toMatchObject([{ path: '/a1' }, { path: '/a2' }])
    await eventually('the feed is closed', () => (api.observation.liveLog.watched ? undefined : true))
    const second = await open('/v1/requests/stream')
    expect(await events(second, 'replicas', 1)).toEqual([{ watched: ['r1'], missing: [] }])
  })

  test('needs the scope traffic:read, like the list and the explanation', async () => {
    const { key } = await api.key(['status:read', 'changes:read'])
    const { key: allowed } = await api.key(['traffic:read'])
    for (const path of ['/v1/requests', '/v1/requests/12345678', '/v1/requests/stream']) {
      expect((await api.call('GET', path, { key })).status).toBe(403)
    }
    expect((await api.call('GET', '/v1/requests', { key: allowed })).status).toBe(200)
  })

  test('a viewer that does not read has bounded memory, and gets the number of lost lines', async () => {
    const response = await open('/v1/requests/stream')
    const { liveLog } = api.observation
    await eventually('the viewer is there', () => (liveLog.watched ? true : undefined))
    for (let second = 0; second < 4; second += 1) {
      for (let count = 0; count < 1000; count += 1) {
        liveLog.publish(
          {
            requestId: 'r',
            method: 'GET',
            host: '',
            path: '/',
            status: 200,
            durationMs: 1,
            bytesIn: 0,
            bytesOut: 0,
            remoteAddress: '',
          },
          second * 1000,
          0,
        )
      }
    }
    const dropped = (await events(response, 'dropped', 1)) as { replicaId: string | null; count: number }[]
    expect(dropped).toHaveLength(1)
    expect(dropped[0]?.replicaId).toBeNull()
    expect(dropped[0]?.count).toBeGreaterThanOrEqual(4000 - 2 * MAX_WAITING_ITEMS)
  })

  test('100 viewers are the most, and one key has a part of them', async () => {
    const keys = await Promise.all([1, 2].map(() => api.key(['traffic:read'])))
    const opened: Response[] = []
    for (let count = 0; count < 100; count += 1) {
      opened.push(await open('/v1/requests/stream', { key: keys[count % 2]!.key }))
    }
    const statuses = new Set(opened.map(({ status }) => status))
    expect(statuses).toEqual(new Set([200]))
    expect((await open('/v1/requests/stream')).status).toBe(503)
    expect((await open('/v1/changes/stream')).status).toBe(503)
    publish('/all')
    for (const response of opened)
      expect(await events(response, 'request', 1)).toMatchObject([{ path: '/all' }])
  })

  test('ends when its key is revoked, and when the API stops', async () => {
    const { key, id } = await api.key(['traffic:read'])
    const stream = events(await open('/v1/requests/stream', { key }), 'request', 1)
    const other = events(await open('/v1/requests/stream'), 'request', 1)
    await database().open().store.adminKeys.revoke(id, { actor: 'test' })
    api.applied(1)
    expect(await stream).toEqual([])
    api.app.stop()
    expect(await other).toEqual([])
  })
})
