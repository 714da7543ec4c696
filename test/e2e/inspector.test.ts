// The inspector over two replicas (T12): secrets in many places of a request and its response are captured on one replica, and listed,
// exported, replayed and logged from the other one. No output and no exchange in the memory of a replica has a secret.

import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExchangeBody, ExchangePageBody, ReplayedBody } from '../../plugboard/admin/api-types.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { cleanEnvironment } from '../support/programs/plugboard-process.ts'
import { HOST, SERVICE } from '../support/programs/stack.ts'

const MAIN = join(import.meta.dirname, '../../plugboard/main.ts')
/** A part of each secret. No argument and no file of a process has it. */
const PART = ['hunter', 'two', Date.now().toString(36)].join('')
let secrets = 0
const secret = () => {
  secrets += 1
  return `${PART}${secrets}`
}
const jwt = () =>
  [{ alg: 'HS256' }, { sub: PART }, { signature: PART }]
    .map(each => Buffer.from(JSON.stringify(each)).toString('base64url'))
    .join('.')

const cluster = useCluster(2, { replicaArgs: ['--access-log-user-agent'] })

interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
const received: Received[] = []

const backend = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const { method = '', url = '', headers } = request
  received.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
  if (url === '/plain') {
    response.end('plain')
    return
  }
  response.writeHead(url.startsWith('/login') ? 302 : 200, {
    'Content-Type': 'application/json',
    'Content-Encoding': 'gzip',
    'Set-Cookie': [`sid=${secret()}; HttpOnly`, `csrf=${secret()}`],
    Location: `https://u:${secret()}@app.test/cb?code=${secret()}#access_token=${secret()}`,
    'X-Auth-Token': secret(),
    'Authentication-Info': `nextnonce=${secret()}`,
    Link: `</next?session=${secret()}>; rel=next`,
    Trailer: 'X-Trailer-Secret',
  })
  response.addTrailers({ 'X-Trailer-Secret': secret() })
  const content = {
    user: { name: 'ada', api_key: secret() },
    card: { number: secret() },
    tokens: [secret(), secret()],
    nested: JSON.stringify({ password: secret() }),
    text: `see https://a.test/?sig=${secret()} or ${jwt()}`,
    count: received.length,
  }
  response.end(gzipSync(JSON.stringify(content)))
})

beforeAll(async () => {
  await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve))
  await cluster.untilLinked()
  const target = (backend.address() as AddressInfo).port
  await cluster.startTelephone(1, {
    target,
    name: 'stable-1',
    args: ['--tunnels', '1', '--no-follow-replicas'],
  })
  await cluster.startTelephone(1, {
    target,
    name: 'canary-1',
    args: ['--tunnels', '1', '--no-follow-replicas'],
  })
  const set = await cluster.replicas[0]!.cli(
    'service',
    'set',
    SERVICE,
    '--inspect',
    '30m',
    '--inspect-mask',
    '/card/number',
  )
  expect(set.output).toContain(`service ${SERVICE} changed`)
}, 90_000)
afterAll(() => {
  backend.closeAllConnections()
  backend.close()
})

const ask = (path: string, more: { method?: string; headers?: Record<string, string>; body?: string } = {}) =>
  send({ port: cluster.places[1]!.port, host: HOST, path, ...more })

/** Sends one request with secrets in its fields, its target and its body. */
async function sendSecrets(): Promise<void> {
  const response = await ask(
    `/login/${jwt()};jsessionid=${secret()}?token=${secret()}&next=${encodeURIComponent(`/a?api_key=${secret()}`)}`,
    {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secret()}`,
        'proxy-authorization': `Basic ${secret()}`,
        cookie: `sid=${secret()}; theme=${secret()}`,
        'x-api-key': secret(),
        'x-client-secret': secret(),
        'x-session': secret(),
        'x-user-password': secret(),
        referer: `https://a.test/reset?access_token=${secret()}`,
        'user-agent': `curl/8 token=${secret()}`,
        'x-hub-signature': `sha256=${secret()}`,
        'x-debug': JSON.stringify({ secret: secret() }),
        'content-type': 'application/json; charset=utf-8',
      },
      body: JSON.stringify({
        email: 'a@b.test',
        password: secret(),
        otp: 123_456,
        card: { number: secret() },
        note: jwt(),
      }),
    },
  )
  expect([response.status, response.body.length > 0]).toEqual([302, true])
}

const list = (index: number, query = '') =>
  cluster.replicas[index]!.call<ExchangePageBody>('GET', `/v1/services/${SERVICE}/exchanges${query}`)

/** Resolves with the newest exchange that no replay made, in the list of the other replica. */
const captured = () =>
  eventually('the exchange is listed', async () =>
    (await list(0)).items.find(({ replayOf }) => replayOf === null),
  )

describe('an exchange with secrets in more than 20 places', () => {
  it('is listed, shown, exported, replayed and logged without a secret', async () => {
    await eventually('the inspector is on', async () =>
      (await list(1)).inspectedUntil === null ? undefined : true,
    )
    const [first, second] = [cluster.replicas[0]!, cluster.replicas[1]!]
    const followed = cluster.processes.node(
      'plugboard inspect',
      [
        MAIN,
        'inspect',
        SERVICE,
        '--follow',
        '--url',
        `http://127.0.0.1:${first.adminPort}`,
        '--data',
        join(first.folder, 'data'),
      ],
      { env: cleanEnvironment(), cwd: first.folder },
    )
    await followed.waitForLine(/^note: following replica-1, replica-2/)
    await sendSecrets()
    expect(secrets).toBeGreaterThan(25)
    const { id } = await captured()
    await followed.waitForLine(new RegExp(`exchange ${id}`))
    const outputs = [followed.output]
    await followed.stop('SIGINT')

    const exchange = await first.call<ExchangeBody>('GET', `/v1/exchanges/${id}`)
    expect(exchange.received.body?.text).toMatch(
      /"email":"a@b.test","password":"\*\*\*[0-9a-f]{6}","otp":"\*\*\*/,
    )
    expect(exchange.sent?.body).toMatchObject({ isCut: false, omitted: null })
    expect(exchange.sent?.trailers).toMatchObject([['X-Trailer-Secret', expect.stringMatching(/^\*\*\*/)]])
    outputs.push(JSON.stringify(exchange))

    for (const args of [
      ['inspect', SERVICE],
      ['inspect', SERVICE, '--json'],
      ['exchange', 'show', id],
      ['exchange', 'show', id, '--json'],
      ['exchange', 'show', id, '--curl'],
      ['exchange', 'show', id, '--har'],
      ['exchange', 'replay', id, '--target', '/again', '--json'],
      ['exchange', 'replay', id, '--target', '/again'],
      ['logs'],
      ['changes'],
    ]) {
      const { output, code } = await first.cli(...args)
      expect([args.join(' '), code]).toEqual([args.join(' '), 0])
      outputs.push(output)
    }
    outputs.push(second.child.output, first.child.output)
    for (const [index, output] of outputs.entries())
      expect([index, output.includes(PART)]).toEqual([index, false])
    // The check of outputs can fail: the backend has received the secrets.
    expect(received.map(({ body }) => body).join()).toContain(PART)
  })

  it('a replay sends no masked value, and goes to the chosen telephone', async () => {
    await sendSecrets()
    const { id } = await captured()
    received.length = 0
    const { output } = await cluster.replicas[0]!.cli(
      ...['exchange', 'replay', id, '--telephone', 'canary-1', '--target', '/again?x=1'],
      ...['--header', 'X-Api-Key: given', '--json'],
    )
    const { exchange, leftOut, diff } = JSON.parse(output) as ReplayedBody
    expect(exchange).toMatchObject({ replayOf: id, request: { telephoneId: 'canary-1', status: 200 } })
    expect(diff.status).toEqual({ before: 302, after: 200 })
    expect(leftOut).toContain('authorization')
    expect(received).toHaveLength(1)
    const [again] = received
    expect(again).toMatchObject({
      method: 'POST',
      url: '/again?x=1',
      headers: { 'plugboard-replay': id, 'x-api-key': 'given' },
    })
    expect(again?.headers.authorization).toBeUndefined()
    expect(JSON.stringify(again)).not.toContain('***')
    expect(JSON.parse(again?.body ?? '')).toEqual({ email: 'a@b.test', card: {} })
    const changes = await cluster.replicas[0]!.cli('changes', '--area', 'traffic')
    expect(changes.output).toContain(`exchange ${id} of ${SERVICE} replayed`)
    expect(changes.output).toContain(`exchanges of ${SERVICE} read`)
  })

  it('a client cannot claim to be a replay', async () => {
    received.length = 0
    await ask('/', { headers: { 'plugboard-replay': 'forged', Plugboard_Replay: 'forged' } })
    expect(JSON.stringify(received)).not.toContain('forged')
  })

  it('stops when it is turned off, and its exchanges stay', async () => {
    await cluster.replicas[0]!.cli('service', 'set', SERVICE, '--no-inspect')
    await eventually('the inspector is off', async () =>
      (await list(1)).inspectedUntil === null ? true : undefined,
    )
    const before = (await list(0)).items.length
    await ask('/after')
    const { items } = await list(0)
    expect([before > 0, items.length]).toEqual([true, before])
    const { output } = await cluster.replicas[1]!.cli('inspect', SERVICE)
    expect(output).toContain(`the inspector of ${SERVICE} is off`)
  })
})

describe('the memory of a replica', () => {
  it('has no secret once the request is over', async () => {
    // A replica of its own process, whose V8 writes its heap on SIGUSR2. The heap has all strings, and no buffers of sockets.
    await cluster.replicas[1]!.child.stop()
    const replica = await cluster.startReplica(1, { env: { NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' } })
    await cluster.replicas[0]!.cli('service', 'set', SERVICE, '--inspect', '30m')
    await eventually('the inspector is on', async () =>
      (await list(1)).inspectedUntil === null ? undefined : true,
    )
    await eventually('the telephones are back', async () =>
      (await ask('/hello')).status === 200 ? true : undefined,
    )
    await sendSecrets()
    const { id } = await captured()
    // Parsers, sockets and sessions keep the texts of their last message, so others replace them: so many that each tunnel carries some.
    for (let count = 0; count < 60; count += 1) await ask('/plain')
    replica.child.signal('SIGUSR2')
    const file = await eventually('the heap is written', async () =>
      (await readdir(replica.folder)).find(name => name.endsWith('.heapsnapshot')),
    )
    const snapshot = await eventually('the heap is complete', async () => {
      const text = await readFile(join(replica.folder, file), 'utf8')
      // The list of strings is the last member. A part of the file may end with a brace too, and its head, which is small, in this way.
      return text.length > 1_000_000 && /"\]\s*\}\s*$/.test(text.slice(-20)) ? text : undefined
    })
    expect([snapshot.includes(id), snapshot.includes('@b.test')]).toEqual([true, false])
    const { strings } = JSON.parse(snapshot) as { strings: string[] }
    expect(strings.filter(text => text.includes(PART))).toEqual([])
  })
})
