// One client opens more requests than its service has backend connections, and sends or reads almost no bytes on them.
// Requests of other clients must be served as usual, for every way to open many requests.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually, within } from '../support/deadline.ts'
import { RawConnection } from '../support/http/raw-connection.ts'
import { HOST, useStack } from '../support/programs/stack.ts'

const stack = useStack({ plugboardArgs: ['--http2-cleartext'] })

/** The number of requests of the attack: more than the Telephone has connections. */
const ATTACKERS = 520
const CONNECTIONS = 512
const SHARE = 384
const ATTACKER = '127.0.0.2'
const OTHER = '127.0.0.3'
/** The time limit for a request of another client, ms. */
const PATIENCE_MS = 2000

const sockets: Socket[] = []
const sessions: ClientHttp2Session[] = []
let trickle: NodeJS.Timeout | undefined
let attack = 0

afterEach(async () => {
  clearInterval(trickle)
  for (const session of sessions.splice(0)) session.destroy()
  for (const socket of sockets.splice(0)) socket.destroy()
  await eventually('the attack is over', async () => ((await streamsOpen()) === 0 ? true : undefined))
  attack += 1
})

function open(bytes: string): Socket {
  const socket = connect({ host: '127.0.0.1', port: stack.port, localAddress: ATTACKER })
  socket.on('error', () => socket.destroy())
  socket.write(bytes)
  sockets.push(socket)
  return socket
}

async function streamsOpen(): Promise<number> {
  const { items } = await stack.plugboard.call('GET', '/v1/telephones')
  return (items as { streams: number }[]).reduce((sum, { streams }) => sum + streams, 0)
}

/** Resolves when all requests of the attack have reached the Telephone, and this number of them the backend. */
async function underWay(atBackend: number): Promise<void> {
  await eventually('all requests of the attack are open', async () => {
    return (await streamsOpen()) === ATTACKERS && attacked().length === atBackend ? true : undefined
  })
}

/** Returns the requests of the present attack. Some requests of the attack before may arrive while it ends. */
const attacked = () => stack.backend.all('request').filter(({ url }) => url.includes(`attack=${attack}`))

/** Sends requests of another client, one after the other, each on its own connection. */
async function othersAreServed(): Promise<void> {
  const requests = [
    'GET /hello HTTP/1.1',
    'POST /hash HTTP/1.1\r\nContent-Length: 5',
    'POST /hash HTTP/1.1\r\nContent-Length: 400000',
    'GET /hello HTTP/1.1',
  ]
  for (const request of requests) {
    const length = Number(/\d+$/.exec(/Length: (\d+)/.exec(request)?.[0] ?? '0')?.[0])
    const [line, ...fields] = request.split('\r\n')
    const head = [line, `Host: ${HOST}`, ...fields, '', ''].join('\r\n')
    const connection = await RawConnection.open(stack.port, '127.0.0.1', OTHER)
    await connection.send(head + 'x'.repeat(length))
    const response = await within(connection.readResponse(), PATIENCE_MS, request)
    expect([response.status, response.complete]).toEqual([200, true])
    connection.destroy()
  }
}

/** Ways to hold requests open, with how many of them the backend may see at most. */
const WAYS: [how: string, atBackend: number, begin: () => void][] = [
  [
    'uploads of HTTP/1.1 that send a byte now and then',
    CONNECTIONS / 2,
    () => {
      const head = `POST /hash?attack=${attack} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000000\r\n\r\nx`
      const own = Array.from({ length: ATTACKERS }, () => open(head))
      trickle = setInterval(() => own.forEach(socket => void socket.write('x')), 100)
    },
  ],
  [
    'uploads of HTTP/2 that send a byte now and then',
    CONNECTIONS / 2,
    () => {
      const streams = Array.from({ length: 5 }, () => http2Session()).flatMap(session =>
        Array.from({ length: ATTACKERS / 5 }, () => {
          const stream = session.request({
            ':method': 'POST',
            ':path': `/hash?attack=${attack}`,
            ':authority': HOST,
          })
          stream.on('error', () => undefined)
          stream.write('x')
          return stream
        }),
      )
      trickle = setInterval(() => streams.forEach(stream => void stream.write('x')), 100)
    },
  ],
  [
    'requests that wait for their responses',
    SHARE,
    () => {
      for (let number = 0; number < ATTACKERS; number += 1) {
        open(`GET /silent?attack=${attack} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
      }
    },
  ],
  [
    'pipelined requests, forty on each connection',
    SHARE,
    () => {
      for (let number = 0; number < ATTACKERS / 40; number += 1) {
        open(`GET /silent?attack=${attack} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(40))
      }
    },
  ],
  [
    'upgrades that wait for their 101',
    SHARE,
    () => {
      const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
      for (let number = 0; number < ATTACKERS; number += 1) {
        open(`GET /ws?attack=${attack}&hold HTTP/1.1\r\nHost: ${HOST}\r\n${fields}\r\n`)
      }
    },
  ],
]

function http2Session(): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${stack.port}`, {
    createConnection: () => connect({ host: '127.0.0.1', port: stack.port, localAddress: ATTACKER }),
  })
  session.on('error', () => session.destroy())
  sessions.push(session)
  return session
}

// The test needs loopback addresses other than 127.0.0.1, and only Linux has all of them.
describe.skipIf(process.platform !== 'linux')(`${ATTACKERS} requests of one client`, () => {
  it.each(WAYS)('leave room for others: %s', async (_, atBackend, begin) => {
    begin()
    await underWay(atBackend)
    await othersAreServed()
    expect(attacked()).toHaveLength(atBackend)
  })
})
