// Rows P1-P13: HTTP/2 at the front, with frames that are written byte by byte. The second Plugboard serves HTTP/2 in
// cleartext, with small limits. test/e2e/http2.test.ts tests HTTP/2 over TLS.

import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { FLAG, FRAME, fieldBlock, frame, resetFrame } from '../../support/http/http2-frames.ts'
import { RawHttp2 } from '../../support/http/raw-http2.ts'
import { runSeed } from '../../support/seeded-random.ts'
import { BARRIER, barrier, edge } from './edge.ts'
import { Http2Fuzz } from './fuzz/http2-fuzz.ts'

type Field = readonly [string, string]

const CODES = { none: 0, protocol: 1, internal: 2, refused: 7, cancel: 8, calm: 11, http11: 13 }
const open: RawHttp2[] = []

afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy()
})

const port = () => edge.tight!.port

async function connect(acknowledge = true): Promise<RawHttp2> {
  const raw = await RawHttp2.open(port())
  open.push(raw)
  return raw.greet(acknowledge)
}

function head(path: string, fields: readonly Field[] = [], method = 'GET'): Field[] {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'edge.test'], ...fields]
}

/** Resolves with the code of the problem in the response of a stream. */
async function plugboardError(raw: RawHttp2, streamId: number): Promise<string> {
  const response = await raw.next(each => each.type === FRAME.data && each.streamId === streamId)
  return (JSON.parse(response.payload.toString()) as { code: string }).code
}

/** From now on, the test responds to the requests at the backend. */
function hold(): void {
  edge.backend.handler = () => undefined
}

/** Expects that no byte reached the backend, and that the port serves other clients. */
async function onlyTheFence(): Promise<void> {
  await barrier(port())
  expect(edge.backend.requests.map(({ target }) => target)).toEqual([BARRIER])
  expect(edge.backend.faults).toEqual([])
}

describe('P1 malformed', () => {
  it.each<[string, Field[]]>([
    ['P1 a field of the connection', head('/', [['connection', 'close']])],
    ['P1 keep-alive', head('/', [['keep-alive', '1']])],
    ['P1 a coding of HTTP/1', head('/', [['transfer-encoding', 'chunked']], 'POST')],
    ['P1 an upgrade', head('/', [['upgrade', 'websocket']])],
    ['P1 an upper-case name', head('/', [['X-Up', '1']])],
    ['P1 TE other than trailers', head('/', [['te', 'gzip']])],
    ['P1 a length that is no number', head('/', [['content-length', '+3']])],
    [
      'P1 two lengths',
      head('/', [
        ['content-length', '3'],
        ['content-length', '3'],
      ]),
    ],
    [
      'P1 two Hosts',
      head('/', [
        ['host', 'edge.test'],
        ['host', 'b'],
      ]),
    ],
    ['P1 a pseudo-field twice', head('/', [[':path', '/again']])],
    ['P1 a pseudo-field of responses', head('/', [[':status', '200']])],
    ['P1 an unknown pseudo-field', head('/', [[':x', '1']])],
    ['P1 a pseudo-field behind a field', [['x', '1'], ...head('/')]],
    [
      'P1 no path',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':authority', 'edge.test'],
      ],
    ],
    ['P1 an empty path', head('')],
    ['P1 a blank in the path', head('/a b')],
    ['P1 no authority', head('/').slice(0, 3)],
    ['P1 * for GET', head('*')],
    ['P1 a user in the authority', [...head('/').slice(0, 3), [':authority', 'user@edge.test']]],
    ['P1 a method that is no token', [[':method', 'G ET'], ...head('/').slice(1)]],
  ])('%s', async (_name, fields) => {
    const raw = await connect()
    raw.request(1, fields, true)
    expect(await raw.ended(1)).toBe(CODES.protocol)
    // The connection still works.
    raw.request(3, head(BARRIER))
    expect(await raw.ended(3)).toBe('end')
    expect(edge.backend.requests.map(({ target }) => target)).toEqual([BARRIER])
  })

  it.each([
    ['P1 a body longer than its length', 'four', false],
    ['P1 a body shorter than its length', 'f', true],
  ])('%s ends the connection, and is no whole request', async (_name, body, end) => {
    const raw = await connect()
    raw.request(1, head('/', [['content-length', '3']], 'POST'), false)
    raw.data(1, body, end)
    await raw.closed()
    await barrier(port())
    expect(
      edge.backend.requests.filter(({ state }) => state === 'complete').map(each => each.target),
    ).toEqual([BARRIER])
  })
})

describe('P2 invalid names and values', () => {
  it.each(['a b', 'a:b', '', 'a\x7f', '\xe9', 'a\0b', 'a\rb', 'a(b', 'a@b'])(
    'P2 the name %j: the field is dropped',
    async name => {
      const raw = await connect()
      const fields: Field[] = [
        [name, 'evil'],
        ['x-good', '1'],
      ]
      raw.request(1, head('/plain', fields))
      expect(await raw.ended(1)).toBe('end')
      const [request] = edge.backend.requests
      expect(request!.all('x-good')).toEqual(['1'])
      expect(request!.fields.filter(([, value]) => value.includes('evil'))).toEqual([])
    },
  )

  it.each([
    ['P2 LF', 'a\nb'],
    ['P2 CR', 'a\rb'],
    ['P2 CRLF and another field', 'a\r\nx-injected: 1'],
    ['P2 NUL', 'a\0b'],
    ['P2 a blank before', ' a'],
    ['P2 a blank behind', 'a '],
  ])('%s: the field is dropped', async (_name, value) => {
    const raw = await connect()
    raw.request(
      1,
      head('/plain', [
        ['x-bad', value],
        ['x-good', '1'],
      ]),
    )
    expect(await raw.ended(1)).toBe('end')
    const [request] = edge.backend.requests
    expect(request!.all('x-good')).toEqual(['1'])
    expect([request!.all('x-bad'), request!.all('x-injected')]).toEqual([[], []])
  })
})

describe('P3 ambiguous requests', () => {
  it.each<[string, Field[], string]>([
    ['P3 another Host than :authority', head('/', [['host', 'neighbour.test']]), 'bad_request'],
    ['P3 a path above the root', head('/../a'), 'bad_request'],
    ['P3 %00', head('/a%00'), 'bad_request'],
    ['P3 a bare backslash', head('/a\\b'), 'bad_request'],
    ['P3 a method that Node does not support', head('/', [], 'NONSENSE'), 'bad_request'],
    ['P3 another scheme', [[':method', 'GET'], [':scheme', 'ftp'], ...head('/').slice(2)], 'bad_request'],
    ['P3 a # in the path', head('/a#b'), 'bad_request'],
    ['P3 a path outside ASCII', head('/\xe9'), 'bad_request'],
    ['P3 an invalid port', [...head('/').slice(0, 3), [':authority', 'edge.test:99999']], 'bad_request'],
    ['P3 the tunnel', head('/_plugboard/tunnel'), 'upgrade_required'],
  ])('%s', async (_name, fields, code) => {
    const raw = await connect()
    raw.request(1, fields)
    expect(await plugboardError(raw, 1)).toBe(code)
    await onlyTheFence()
  })

  it('P3 a path in absolute form is not a valid path', async () => {
    const raw = await connect()
    raw.request(1, head('http://neighbour.test/'))
    expect(await raw.ended(1)).toBe(CODES.protocol)
    await onlyTheFence()
  })
})

it('P4 Cookie fields are joined into one, and other fields are not changed', async () => {
  const raw = await connect()
  raw.request(
    1,
    head('/', [
      ['cookie', 'a=1'],
      ['x', '1'],
      ['cookie', 'b=2'],
      ['x', '2'],
      ['x-bytes', 'caf\xe9'],
    ]),
  )
  expect(await raw.ended(1)).toBe('end')
  const [request] = edge.backend.requests
  expect(request!.all('cookie')).toEqual(['a=1; b=2'])
  expect(request!.all('x')).toEqual(['1', '2'])
  expect(request!.all('x-bytes')).toEqual(['caf\xe9'])
})

it('P5 CONNECT is not allowed, except for WebSocket', async () => {
  const raw = await connect()
  raw.request(
    1,
    [
      [':method', 'CONNECT'],
      [':authority', 'edge.test:80'],
    ],
    false,
  )
  expect(await plugboardError(raw, 1)).toBe('method_not_allowed')
  raw.request(3, [...head('/', [[':protocol', 'connect-udp']], 'CONNECT')], false)
  expect(await plugboardError(raw, 3)).toBe('method_not_allowed')
  await onlyTheFence()
})

it('P6 a stream whose response is cut is reset, never ended', async () => {
  hold()
  for (const [index, framing] of ['Content-Length: 10', 'Transfer-Encoding: chunked'].entries()) {
    const raw = await connect()
    raw.request(1, head('/hold'))
    const request = await edge.backend.request(index)
    request.say(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${framing.startsWith('T') ? '4\r\npart\r\n' : 'part'}`)
    await raw.next(each => each.type === FRAME.data && each.payload.toString() === 'part')
    request.connection.socket.resetAndDestroy()
    expect(await raw.ended(1)).toBe(CODES.internal)
  }
})

it('P7 a response before the end of the upload is complete, then the upload is reset with NO_ERROR', async () => {
  hold()
  const raw = await connect()
  raw.request(1, head('/hold', [], 'POST'), false)
  raw.data(1, 'begin')
  const request = await edge.backend.request()
  await request.connection.until('the body', () => request.body === 'begin')
  request.respond(400, 'enough')
  await raw.next(each => each.type === FRAME.data && each.payload.toString() === 'enough')
  const reset = await raw.next(each => each.type === FRAME.resetStream && each.streamId === 1)
  expect(reset.payload.readUInt32BE(0)).toBe(CODES.none)
  expect(
    raw.frames.some(each => each.streamId === 1 && each.type === FRAME.data && (each.flags & 1) === 1),
  ).toBe(true)
  expect(await request.ended).toBe('aborted')
})

describe('P8 one stream too many', () => {
  const four = [1, 3, 5, 7]

  it('P8 is refused without processing, and the other streams continue', async () => {
    hold()
    const raw = await connect(false)
    for (const streamId of four) raw.request(streamId, head('/hold'))
    await edge.backend.request(3)
    raw.request(9, head('/one-too-many'))
    expect(await raw.ended(9)).toBe(CODES.refused)
    for (const request of edge.backend.requests) request.respond(200)
    for (const streamId of four) expect(await raw.ended(streamId)).toBe('end')
    edge.backend.handler = request => request.respond(200)
    raw.request(11, head('/after'))
    expect(await raw.ended(11)).toBe('end')
    expect(edge.backend.requests.map(({ target }) => target)).toEqual([...four.map(() => '/hold'), '/after'])
  })

  it('P8 ends the connection of a client that has acknowledged the limit', async () => {
    hold()
    const raw = await connect()
    for (const streamId of four) raw.request(streamId, head('/hold'))
    await edge.backend.request(3)
    raw.request(9, head('/one-too-many'))
    expect(await raw.goaway()).toBe(CODES.protocol)
    await raw.closed()
    for (const request of edge.backend.requests) expect(await request.ended).toBeDefined()
    expect(edge.backend.requests).toHaveLength(4)
  })
})

describe('P9 large heads', () => {
  it('P9 more fields, or bytes of them, than the limits: 431', async () => {
    const raw = await connect()
    raw.request(
      1,
      head(
        '/',
        Array.from({ length: 25 }, (_, index) => [`x-${index}`, '1']),
      ),
    )
    expect(await plugboardError(raw, 1)).toBe('headers_too_large')
    raw.request(3, head('/', [['x', 'a'.repeat(3900)]]))
    expect(await plugboardError(raw, 3)).toBe('headers_too_large')
    raw.request(5, head(`/${'a'.repeat(1100)}`))
    expect(await plugboardError(raw, 5)).toBe('uri_too_long')
    await onlyTheFence()
  })

  it('P9 far above the limits: rejected before the whole head is read', async () => {
    const raw = await connect()
    raw.request(
      1,
      head(
        '/',
        Array.from({ length: 200 }, (_, index) => [`x-${index}`, '1']),
      ),
    )
    expect(await raw.ended(1)).toBe(CODES.calm)
    raw.request(3, head('/', [['x', 'a'.repeat(12_000)]]))
    expect(await raw.ended(3)).toBe(CODES.calm)
    await onlyTheFence()
  })
})

describe('P10 floods end only their own connection', () => {
  it('P10 requests that are reset at once', async () => {
    const raw = await connect()
    let streamId = 1
    const flood = (): void => {
      for (let index = 0; index < 100; index += 1, streamId += 2) {
        raw.request(streamId, head('/reset'))
        raw.send(resetFrame(streamId, CODES.cancel))
      }
    }
    const closed = raw.closed()
    const over = await eventually('the connection ends', () => {
      flood()
      return raw.socket.destroyed || streamId > 20_000 ? streamId : undefined
    })
    await closed
    expect(over).toBeLessThan(20_000)
    // At most the burst plus the rate of one second.
    expect(edge.backend.requests.length).toBeLessThan(700)
    await barrier(port())
  })

  it('P10 a header block without an end', async () => {
    const raw = await connect()
    raw.send(frame(FRAME.headers, 0, 1, fieldBlock(head('/').flat())))
    for (let index = 0; index < 100; index += 1) raw.send(frame(FRAME.continuation, 0, 1, Buffer.alloc(0)))
    await raw.closed()
    await onlyTheFence()
  })

  it.each([
    ['P10 SETTINGS', frame(FRAME.settings, 0, 0)],
    ['P10 PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ])('%s whose responses the client does not read', async (_name, flood) => {
    const raw = await connect()
    raw.socket.pause()
    const bytes = Buffer.concat(Array.from({ length: 2000 }, () => flood))
    let sent = 0
    await eventually('the connection ends', () => {
      raw.send(bytes)
      sent += 1
      return raw.socket.destroyed || sent > 5000 ? true : undefined
    })
    expect(sent).toBeLessThan(5000)
    await onlyTheFence()
  })

  it.each([
    ['P10 DATA for a stream that never was', frame(FRAME.data, 0, 5, Buffer.from('x'))],
    ['P10 a frame that is too large', frame(FRAME.data, 0, 1, Buffer.alloc(20_000))],
    ['P10 an even stream', frame(FRAME.headers, FLAG.endHeaders, 2, fieldBlock(head('/').flat()))],
    ['P10 a window that overflows', frame(FRAME.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
    ['P10 fields that are no HPACK', frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.alloc(20, 0xff))],
    ['P10 SETTINGS of five bytes', frame(FRAME.settings, 0, 0, Buffer.alloc(5))],
  ])('%s', async (_name, bytes) => {
    const raw = await connect()
    raw.send(bytes)
    await raw.closed()
    await onlyTheFence()
  })
})

describe('P11 silence', () => {
  it('P11 a preface that does not arrive', async () => {
    const raw = await RawHttp2.open(port())
    open.push(raw)
    raw.send(Buffer.from('PRI * HTTP/2.0\r\n'))
    await raw.closed()
  })

  it('P11 a head without an end', async () => {
    const raw = await connect()
    raw.send(frame(FRAME.headers, FLAG.endStream, 1, fieldBlock(head('/').flat())))
    await raw.closed()
    await onlyTheFence()
  })

  it('P11 no request for a while: GOAWAY, and the end', async () => {
    const raw = await connect()
    expect(await raw.goaway()).toBe(CODES.none)
    await raw.closed()
  })
})

it('mutated requests are not lost, doubled or mixed up', async () => {
  const seed = runSeed()
  const report = await new Http2Fuzz({ edge, port: port(), seed, count: 400, workers: 3 }).run()
  expect(report.violations, `SEED=${seed}`).toEqual([])
  // The run is useful only with enough valid requests and enough faults.
  expect(report.forwarded).toBeGreaterThan(50)
  expect(report.survived).toBeGreaterThan(100)
  expect(report.survived).toBeLessThan(390)
})

// The last test of this file, because it ends the second Plugboard.
it.each(['NTLM TlRM', 'Negotiate YII'])(
  'P13 %s, which authenticates a connection, gets a request to use HTTP/1.1',
  async credential => {
    const raw = await connect()
    raw.request(1, head('/secret', [['authorization', credential]]), true)
    expect(await raw.ended(1)).toBe(CODES.http11)
    raw.request(3, head(BARRIER))
    expect(await raw.ended(3)).toBe('end')
    expect(edge.backend.requests.map(({ target }) => target)).toEqual([BARRIER])
  },
)

it('P12 a replica that stops sends GOAWAY and finishes open requests', async () => {
  hold()
  const raw = await connect()
  raw.request(1, head('/hold'))
  const request = await edge.backend.request()
  const stopped = edge.tight!.child.stop()
  expect(await raw.goaway()).toBe(CODES.none)
  request.respond(200, 'late')
  await raw.next(each => each.type === FRAME.data && each.payload.toString() === 'late')
  expect(await raw.ended(1)).toBe('end')
  await raw.closed()
  await stopped
})
