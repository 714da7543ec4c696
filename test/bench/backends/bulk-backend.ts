// The backend of bulk transfers, event streams and WebSockets, in its own process. It does as little work per byte as Node's
// HTTP server allows. Small requests go to nginx when it is installed, else to this backend.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

const PIECE = Buffer.alloc(1 << 18, 'vera')
const HELLO = Buffer.from(`${'vera-stack '.repeat(9)}\n`)

function download(response: ServerResponse, totalBytes: number): void {
  response.setHeader('content-length', totalBytes)
  let sent = 0
  const fill = () => {
    while (sent < totalBytes) {
      const piece = PIECE.subarray(0, totalBytes - sent)
      sent += piece.length
      if (!response.write(piece)) {
        response.once('drain', fill)
        return
      }
    }
    response.end()
  }
  fill()
}

function upload(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  request.on('end', () => {
    const body = `${bytes}\n`
    response.setHeader('content-length', body.length)
    response.end(body)
  })
}

function events(response: ServerResponse, count: number, intervalMs: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  let sent = 0
  const timer = setInterval(() => {
    response.write(`data: ${process.hrtime.bigint() / 1000n}\n\n`)
    sent += 1
    if (sent < count) return
    clearInterval(timer)
    response.end()
  }, intervalMs)
  response.on('close', () => clearInterval(timer))
}

const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend')
  switch (pathname) {
    case '/download':
      return download(response, Number(searchParams.get('bytes')))
    case '/upload':
      return upload(request, response)
    case '/sse':
      return events(response, Number(searchParams.get('count')), Number(searchParams.get('intervalMs')))
    default:
      response.setHeader('content-length', HELLO.length)
      response.end(HELLO)
  }
})
const webSockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 1 << 28 })
webSockets.on('connection', client => {
  client.on('message', (message, isBinary) => client.send(message, { binary: isBinary }))
  client.on('error', () => client.terminate())
})

process.on('SIGTERM', () => process.exit(0))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
console.log(`listening on ${(server.address() as AddressInfo).port}`)
