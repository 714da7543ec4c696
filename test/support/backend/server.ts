// The misbehaving backend: an HTTP server with the paths of behaviours.ts, a WebSocket echo on `/ws`, and a raw echo for any
// other upgrade. It reports everything that it receives.

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { BEHAVIOURS } from './behaviours.ts'
import type { Report } from './report.ts'

const RECORDED_BYTES = 65_536
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024

const connectionIds = new WeakMap<Duplex, number>()

export function createBackend(report: Report): Server {
  let connections = 0
  let requests = 0
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  })

  const announce = (request: IncomingMessage): number => {
    requests += 1
    const { method = '', url = '', httpVersion, rawHeaders, socket } = request
    const connection = connectionIds.get(socket) ?? 0
    report({ type: 'request', id: requests, connection, method, url, httpVersion, rawHeaders })
    return requests
  }

  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, insecureHTTPParser: false })
  server.on('connection', (socket: Socket) => {
    connections += 1
    const connection = connections
    connectionIds.set(socket, connection)
    report({ type: 'connection', connection, event: 'open' })
    let recorded = 0
    const record = (chunk: Buffer) => {
      report({ type: 'bytes', connection, bytes: chunk.subarray(0, RECORDED_BYTES - recorded) })
      recorded += chunk.length
      if (recorded >= RECORDED_BYTES) socket.off('data', record)
    }
    socket.on('data', record)
    socket.on('close', () => report({ type: 'connection', connection, event: 'close' }))
    socket.on('error', () => socket.destroy())
  })

  const respond = (request: IncomingMessage, response: ServerResponse) => {
    const id = announce(request)
    reportBody(request, id, report)
    response.on('close', () => report({ type: 'answer', id, sent: response.writableFinished }))
    response.on('error', () => response.destroy())
    const url = new URL(request.url ?? '/', 'http://backend')
    const name = Object.keys(BEHAVIOURS).find(path => url.pathname.endsWith(path))
    if (name === undefined) {
      request.resume()
      response.writeHead(404).end(`no behaviour for ${url.pathname}\n`)
      return
    }
    void Promise.resolve(BEHAVIOURS[name]!({ request, response, query: url.searchParams }))
  }
  server.on('request', respond)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.includes('refuse-continue')) response.writeContinue()
    respond(request, response)
  })

  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const id = announce(request)
    let bytes = head.length
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    socket.on('close', () => report({ type: 'upgrade-end', id, bytes }))
    const url = new URL(request.url ?? '/', 'http://backend')
    if (url.searchParams.has('refuse')) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n')
    } else if (url.searchParams.has('hold')) {
      socket.resume()
    } else if (url.pathname.endsWith('/ws')) {
      webSockets.handleUpgrade(request, socket, head, client => {
        client.on('message', (message, isBinary) => client.send(message, { binary: isBinary }))
        client.on('error', () => client.terminate())
      })
    } else {
      const protocol = request.headers.upgrade ?? 'raw'
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`)
      socket.write(head)
      socket.pipe(socket)
    }
  })
  return server
}

/** Counts the bytes of the body without starting its flow: the reader of the body decides the pace. */
function reportBody(request: IncomingMessage, id: number, report: Report): void {
  const hash = createHash('sha256')
  let bytes = 0
  const push = request.push.bind(request)
  request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk !== null) {
      hash.update(chunk)
      bytes += chunk.length
    }
    return push(chunk, encoding)
  }
  let reported = false
  const over = () => {
    if (reported) return
    reported = true
    const { complete, rawTrailers } = request
    report({ type: 'body', id, bytes, sha256: hash.digest('hex'), complete, rawTrailers })
  }
  request.on('end', over)
  request.on('close', over)
  request.on('error', () => request.destroy())
}
