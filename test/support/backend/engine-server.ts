// A backend that keeps its sessions in its own memory, with the default transports of Socket.IO: the Engine.IO protocol
// (version 4) starts with long-polling and then upgrades to a WebSocket. Each message is answered with the name of the server.

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

interface EngineSession {
  /** Packets for the client that no poll has taken. */
  readonly packets: string[]
  poll: ServerResponse | undefined
}

export interface EngineServer {
  readonly port: number
  close(): Promise<void>
}

/** Between the packets of one payload. */
const SEPARATOR = '\x1e'

export async function startEngineServer(name: string): Promise<EngineServer> {
  const sessions = new Map<string, EngineSession>()
  const webSockets = new WebSocketServer({ noServer: true })
  const sidOf = ({ url = '' }: IncomingMessage) => new URL(url, 'http://x').searchParams.get('sid') ?? ''

  const flush = (session: EngineSession) => {
    if (session.poll === undefined || session.packets.length === 0) return
    session.poll.end(session.packets.splice(0).join(SEPARATOR))
    session.poll = undefined
  }
  /** Handles a packet of the client. Returns the packet for the client, if any. */
  const received = (packet: string): string | undefined => {
    if (packet.startsWith('40')) return `40{"sid":"${randomUUID()}"}`
    return packet.startsWith('42') ? `42["from","${name}"]` : undefined
  }

  const server = createServer((request, response) => {
    const sid = sidOf(request)
    if (sid === '') {
      const opened = randomUUID()
      sessions.set(opened, { packets: [], poll: undefined })
      response.end(`0${JSON.stringify({ sid: opened, upgrades: ['websocket'], pingInterval: 25_000 })}`)
      return
    }
    const session = sessions.get(sid)
    if (session === undefined) {
      response.writeHead(400).end('{"code":1,"message":"Session ID unknown"}')
      return
    }
    if (request.method === 'GET') {
      session.poll = response
      flush(session)
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      for (const packet of Buffer.concat(chunks).toString().split(SEPARATOR)) {
        const reply = received(packet)
        if (reply !== undefined) session.packets.push(reply)
      }
      response.end('ok')
      flush(session)
    })
  })
  server.on('upgrade', (request, socket, head) => {
    if (!sessions.has(sidOf(request))) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      webSocket.on('message', data => {
        const packet = String(data)
        const reply = packet === '2probe' ? '3probe' : received(packet)
        if (reply !== undefined) webSocket.send(reply)
      })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const client of webSockets.clients) client.terminate()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
