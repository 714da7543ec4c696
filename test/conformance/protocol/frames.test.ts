// PROTOCOL.md, "Frames" and "Head blocks": P2 and P4 to P10, tested from outside of a session.

import { describe, expect, it } from 'vitest'
import vectors from '../../../shared/protocol/vectors.json' with { type: 'json' }
import { type Frame, messageOf, rawFrameHex } from '../../support/protocol/twin-codec.ts'
import { greetedPeer, loopTurn, openFrame, type WirePeerOptions } from '../../support/session/wire-peer.ts'

const PROTOCOL_ERROR = { reason: 'protocol_error', bye: 14 }
const PING: Frame = { type: 'PING', opaque: '1122334455667788' }
const PONG: Frame = { type: 'PONG', opaque: '1122334455667788' }

/** Resolves with the end of a session that receives this message. Both values are undefined when the session continues. */
async function endAfter(hex: string, options: WirePeerOptions = {}) {
  const peer = await greetedPeer(options)
  // Streams to which the frames may belong.
  peer.send(openFrame(1))
  await peer.turn()
  peer.transport.receive(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
  return peer.end()
}

async function expectProtocolError(rule: string): Promise<void> {
  const broken = vectors.malformed.filter(vector => vector.rule === rule)
  expect(broken).not.toEqual([])
  for (const vector of broken) {
    const limits = { maxFrameBytes: 'maxFrameBytes' in vector ? (vector.maxFrameBytes as number) : 262_144 }
    expect(await endAfter(vector.hex, { limits }), vector.name).toEqual(PROTOCOL_ERROR)
  }
}

describe('frames', () => {
  it('P2 an empty message, or a message with an incomplete frame, is a protocol error', () =>
    expectProtocolError('P2'))

  it('P2 frames before the malformed one in the same message are processed', async () => {
    const peer = await greetedPeer()
    peer.transport.receive(Buffer.concat([messageOf(openFrame(1), openFrame(3)), Buffer.from([0])]))
    expect([...peer.accepted.keys()]).toEqual([1, 3])
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
    expect([...peer.accepted.values()].map(({ aborted }) => aborted?.reason)).toEqual([
      'protocol_error',
      'protocol_error',
    ])
  })

  it('P4 a frame on the wrong kind of stream is a protocol error', () => expectProtocolError('P4'))

  it('P5 a payload of a wrong length, or a WINDOW of 0, is a protocol error', () => expectProtocolError('P5'))

  it('P5 the limit of a payload is the one that the receiver has announced', async () => {
    const frameOf = (bytes: number) => rawFrameHex(0x80, 0, 0, '61'.repeat(bytes))
    const limits = { maxFrameBytes: 20_000 }
    expect(await endAfter(frameOf(20_001), { limits })).toEqual(PROTOCOL_ERROR)
    expect(await endAfter(frameOf(20_000), { limits })).toEqual({ reason: undefined, bye: undefined })
  })

  it('P6 an unknown type is skipped with bit 7, and a protocol error without it', async () => {
    const peer = await greetedPeer()
    for (const type of [0x80, 0xaa, 0xff]) {
      const skipped = Buffer.from(rawFrameHex(type, 0xff, type, '0d0a00'), 'hex')
      peer.transport.receive(Buffer.concat([skipped, messageOf(PING), skipped]))
      expect(await peer.turn()).toEqual([PONG])
    }
    expect(peer.session.state).toBe('open')
    await expectProtocolError('P6')
  })

  it('P7 unknown flags are ignored, and sent as 0', async () => {
    const peer = await greetedPeer()
    const open = messageOf(openFrame(1))
    open[1] = 0xfe
    peer.transport.receive(open)
    const recorded = peer.accepted.get(1)!
    expect([recorded.ended, recorded.opening?.target]).toEqual([false, '/'])
    const data = messageOf({ type: 'DATA', stream: 1, body: '61', end: true })
    data[1] = 0xff
    peer.transport.receive(data)
    expect([recorded.ended, recorded.body.toString()]).toEqual([true, 'a'])
    recorded.stream.respond({ status: 200, statusText: '', fields: [] })
    recorded.stream.end()
    await peer.turn()
    for (const message of peer.transport.sent) {
      for (let at = 0; at < message.length; at += 9 + message.readUIntBE(at + 2, 3)) {
        expect(message[at + 1]! & 0xfe).toBe(0)
      }
    }
  })
})

describe('head blocks', () => {
  it('P8 a name without a value, or an OPEN of fewer than three strings, is a protocol error', () =>
    expectProtocolError('P8'))

  it('P9 CR or LF in a block is a protocol error', () => expectProtocolError('P9'))

  it('P10 a HEAD with a status outside 100 … 999 is a protocol error, and none is sent', async () => {
    await expectProtocolError('P10')
    const peer = await greetedPeer()
    peer.send(openFrame(1))
    const { stream } = peer.accepted.get(1)!
    for (const status of [99, 1000, Number.NaN]) {
      expect(() => stream.respond({ status, statusText: '', fields: [] })).toThrow(RangeError)
    }
    await loopTurn()
    expect(await peer.turn()).toEqual([])
    expect(peer.session.state).toBe('open')
  })

  it('keeps order, case and repetition of fields, and every byte of their values', async () => {
    const peer = await greetedPeer()
    const fields = ['B', '1', 'a', 'é\x7f\xff', 'B', '', 'b', '2']
    peer.send(openFrame(1, { strings: ['app', 'GET', '/x?y', ...fields] }))
    const recorded = peer.accepted.get(1)!
    expect(recorded.opening).toEqual({
      kind: 'http',
      hops: 0,
      service: 'app',
      method: 'GET',
      target: '/x?y',
      fields,
      client: '',
    })
    recorded.stream.respond({ status: 200, statusText: 'très bien', fields })
    recorded.stream.end(fields)
    const [head, trailers] = await peer.turn()
    expect((head as { strings: string[] }).strings).toEqual(['très bien', ...fields])
    expect(trailers).toEqual({ type: 'TRAILERS', stream: 1, strings: fields })
  })
})
