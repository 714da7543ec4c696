// PROTOCOL.md, "Connection": P1 and P3, with sessions over real WebSockets.

import { describe, expect, it } from 'vitest'
import { within } from '../../support/deadline.ts'
import { useLeakCheck } from '../../support/leak-check.ts'
import { messageOf } from '../../support/protocol/twin-codec.ts'
import { RecordedReceiver } from '../../support/session/recorded-receiver.ts'
import { transportsOf, useWebSocketPairs } from '../../support/session/websocket-pair.ts'

describe('connection', () => {
  useLeakCheck()
  const webSocketPair = useWebSocketPairs()

  it('P1 a text message ends the connection, and messages after it are ignored', async () => {
    const pair = await webSocketPair()
    const { acceptor } = transportsOf(pair)
    const received = new RecordedReceiver(acceptor)
    const frame = messageOf({ type: 'PING', opaque: '0000000000000000' })
    // One write, so that all messages have arrived when the text is read.
    pair.clientSocket.cork()
    pair.client.send(frame)
    pair.client.send(frame.toString('latin1'))
    pair.client.send(frame)
    pair.clientSocket.uncork()
    const end = await within(received.closed, 5000, 'the connection ends')
    expect(end).toEqual({ clean: false, detail: 'text message' })
    expect(received.messages).toEqual([frame])
  })

  it('P3 permessage-deflate is neither offered nor accepted', async () => {
    const plain = await webSocketPair()
    expect(plain.requestHeaders['sec-websocket-extensions']).toBeUndefined()
    expect(plain.requestHeaders['sec-websocket-protocol']).toBe('plugboard.v1')
    const offering = await webSocketPair({ perMessageDeflate: true })
    expect(offering.requestHeaders['sec-websocket-extensions']).toContain('permessage-deflate')
    expect(offering.responseHeaders['sec-websocket-extensions']).toBeUndefined()
  })
})
