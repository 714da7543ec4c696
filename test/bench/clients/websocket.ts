// WebSocket echo: each socket sends its next message when the echo of the last one has arrived.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { WebSocketJob, WebSocketResult } from './protocol.ts'

export async function echoMessages(job: WebSocketJob): Promise<WebSocketResult> {
  const message = Buffer.alloc(job.messageBytes, 'echo')
  const sockets = await Promise.all(
    Array.from({ length: job.sockets }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${job.port}/ws`, {
        headers: { host: job.host },
        perMessageDeflate: false,
        maxPayload: 2 * job.messageBytes,
      })
      await once(socket, 'open')
      return socket
    }),
  )
  const started = performance.now()
  const until = started + job.seconds * 1000
  let messages = 0
  const echo = async (socket: WebSocket) => {
    do {
      socket.send(message)
      const [echoed] = (await once(socket, 'message')) as [Buffer]
      if (echoed.length !== message.length) throw new Error(`${echoed.length} bytes came back`)
      messages += 1
    } while (performance.now() < until)
    socket.close()
    await once(socket, 'close')
  }
  await Promise.all(sockets.map(echo))
  return { messages, seconds: (performance.now() - started) / 1000 }
}
