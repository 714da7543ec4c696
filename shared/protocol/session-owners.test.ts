// The actions of owners, and the effect of an owner that throws: the session ends with `internal_error`. The process continues,
// and every other owner is notified of its end.

import { describe, expect, it } from 'vitest'
import { RecordedStream } from '../../test/support/session/recorded-stream.ts'
import {
  dataFrame,
  greetedPeer,
  headFrame,
  loopTurn,
  openFrame,
} from '../../test/support/session/wire-peer.ts'
import { HeadTooLargeError } from './outbox.ts'
import type { StreamEvents } from './streams/stream.ts'
import { TunnelError } from './wire/reason.ts'

const INTERNAL_ERROR = { reason: 'internal_error', bye: 15 }
const OK = { status: 200, statusText: 'OK', fields: [] }
const fault = new Error('an owner fails')
const fail = () => {
  throw fault
}
/** Events of a stream of which one throws. */
const failingIn = (name: keyof StreamEvents): StreamEvents =>
  Object.assign(new RecordedStream(), { [name]: fail })

describe('an owner that throws costs its session, with the error as cause', () => {
  it('in onHead, onData or onEnd', async () => {
    for (const name of ['onHead', 'onData', 'onEnd'] as const) {
      const peer = await greetedPeer({ role: 'dialer' })
      const other = peer.open()
      peer.session.open(other.opening!, failingIn(name), false)
      peer.send(headFrame(3, { body: '61', end: true }))
      expect(await peer.end(), name).toEqual(INTERNAL_ERROR)
      expect(peer.closes[0]!.cause).toBe(fault)
      expect(other.aborted?.reason).toBe('internal_error')
      expect([peer.session.streamCount, peer.clock.pendingTimers]).toEqual([0, 0])
    }
  })

  it('in onStream, onControl, onPeerDrain or onReady', async () => {
    for (const name of ['onStream', 'onControl', 'onPeerDrain', 'onReady'] as const) {
      const peer = await greetedPeer({ events: { [name]: fail } })
      peer.send(openFrame(1))
      peer.control({ type: 'renew' })
      peer.control({ type: 'drain', graceMs: 1 })
      await loopTurn()
      expect([peer.closes[0]?.reason, peer.closes[0]?.cause], name).toEqual(['internal_error', fault])
      expect(peer.clock.pendingTimers).toBe(0)
    }
  })

  it('in onWritable, after a WINDOW, room in the transport, or the write of another owner', async () => {
    const byWindow = await greetedPeer({ role: 'dialer' }, { initialWindowBytes: 1024 })
    byWindow.open({}, false)
    const { opening } = byWindow.open({}, false)
    byWindow.session.open(opening!, failingIn('onWritable'), false).write(Buffer.alloc(2000))
    byWindow.send({ type: 'WINDOW', stream: 5, credit: 1000 })
    expect(await byWindow.end()).toEqual(INTERNAL_ERROR)

    const byRoom = await greetedPeer({ role: 'dialer', limits: { sendHighWaterBytes: 1 } })
    byRoom.transport.hold()
    byRoom.session.open(opening!, failingIn('onWritable'), false).write(Buffer.alloc(10))
    await loopTurn()
    byRoom.transport.release()
    expect(await byRoom.end()).toEqual(INTERNAL_ERROR)

    const byOther = await greetedPeer({ role: 'dialer' }, { initialWindowBytes: 200_000 })
    byOther.transport.hold()
    byOther.open({}, false).stream.write(Buffer.alloc(200_000))
    byOther.open({}, false).stream.write(Buffer.alloc(100_000))
    byOther.session.open(opening!, failingIn('onWritable'), false).write(Buffer.alloc(10))
    const innocent = byOther.open({}, false)
    await loopTurn()
    byOther.transport.release()
    expect(innocent.stream.write(Buffer.alloc(100_000))).toBeTypeOf('boolean')
    expect(await byOther.end()).toEqual(INTERNAL_ERROR)
    expect(innocent.aborted?.reason).toBe('internal_error')
  })

  it('a TunnelError that an owner throws counts as a failure of the owner, not of the peer', async () => {
    const peer = await greetedPeer({
      events: {
        onStream: () => {
          throw new TunnelError('draining', { detail: 'of some other session' })
        },
      },
    })
    peer.send(openFrame(1))
    expect(await peer.end()).toEqual(INTERNAL_ERROR)
  })
})

describe('an owner that throws in onAbort', () => {
  it('does not prevent the end of other owners, and does not change the reason', async () => {
    for (const end of ['bye', 'close', 'loss', 'silence', 'grace'] as const) {
      const peer = await greetedPeer({ role: 'dialer' })
      const first = peer.open()
      peer.session.open(first.opening!, failingIn('onAbort'), false)
      peer.session.open(first.opening!, failingIn('onAbort'), false)
      const last = peer.open()
      if (end === 'bye') peer.send({ type: 'BYE', reason: 19, detail: '' })
      if (end === 'close') peer.session.close('replaced')
      if (end === 'loss') peer.transport.lose()
      if (end === 'silence') peer.clock.advance(8000)
      if (end === 'grace') {
        void peer.session.drain(10)
        peer.clock.advance(10)
      }
      await loopTurn()
      await loopTurn()
      const reason = { bye: 'replaced', close: 'replaced', loss: 'session_lost', silence: 'ping_timeout' }
      expect(peer.closes, end).toHaveLength(1)
      expect(peer.closes[0]!.reason).toBe(end === 'grace' ? 'going_away' : reason[end])
      expect((peer.closes[0]!.cause as AggregateError).errors).toEqual([fault, fault])
      expect([first, last].every(({ aborted }) => aborted !== undefined)).toBe(true)
      expect([peer.session.streamCount, peer.clock.pendingTimers]).toEqual([0, 0])
    }
  })

  it('after a RESET costs the session', async () => {
    const peer = await greetedPeer({ role: 'dialer' })
    const other = peer.open()
    peer.session.open(other.opening!, failingIn('onAbort'), false)
    peer.send({ type: 'RESET', stream: 3, reason: 1, detail: '' })
    expect(await peer.end()).toEqual(INTERNAL_ERROR)
    expect(other.aborted?.reason).toBe('internal_error')
  })

  it('drain resolves when onClose throws', async () => {
    const peer = await greetedPeer({ events: { onClose: fail } })
    const closed = peer.session.drain(1000)
    expect(() => peer.transport.lose()).toThrow(fault)
    await closed
  })
})

describe('an owner may at any time', () => {
  it('close the session from any event, and each owner is notified once', async () => {
    const peer = await greetedPeer({ events: { onStream: () => void peer.session.close('overloaded') } })
    peer.send(openFrame(1, { body: '61', end: true }), openFrame(3), dataFrame(1, 1))
    expect(await peer.end()).toEqual({ reason: 'overloaded', bye: 4 })
    const recorded = peer.accepted.get(1)!
    expect([recorded.aborted?.reason, recorded.receivedBytes, recorded.ended]).toEqual([
      'overloaded',
      0,
      false,
    ])
    expect([recorded.violations, peer.accepted.size]).toEqual([[], 1])
  })

  it('reset a stream from any of its events, and gets no further event', async () => {
    for (const name of ['onHead', 'onData'] as const) {
      const peer = await greetedPeer({ role: 'dialer' })
      const recorded = peer.open({}, false)
      const original = recorded[name].bind(recorded) as (argument: unknown) => void
      recorded[name] = (argument: unknown) => {
        original(argument)
        recorded.stream.reset('cancelled')
      }
      peer.send(headFrame(1, { body: '61' }), dataFrame(1, 1, true))
      expect((await peer.turnOf('RESET')).map(({ reason }) => reason)).toEqual([1])
      expect(recorded.receivedBytes).toBe(name === 'onData' ? 1 : 0)
      expect([recorded.ended, recorded.aborted, recorded.violations]).toEqual([false, undefined, []])
      expect(peer.session.state).toBe('open')
    }
  })

  it('refuse a stream in onStream', async () => {
    const peer = await greetedPeer({
      events: { onStream: (stream): undefined => stream.reset('unknown_service') as undefined },
    })
    peer.send(openFrame(1, { body: '61', end: true }), dataFrame(1, 1))
    expect(await peer.turn()).toEqual([{ type: 'RESET', stream: 1, reason: 6, detail: '' }])
    expect([peer.accepted.get(1)!.receivedBytes, peer.session.streamCount]).toEqual([0, 0])
  })
})

describe('calls that the state of the stream does not allow', () => {
  it('throw at the caller and leave stream and session unchanged', async () => {
    const peer = await greetedPeer({}, { maxFrameBytes: 16_384, initialWindowBytes: 1024 })
    peer.send(openFrame(1))
    const { stream } = peer.accepted.get(1)!
    const large = ['x', 'y'.repeat(20_000)]
    expect(() => stream.write(Buffer.alloc(1))).toThrow('outside of the body')
    expect(() => stream.end()).toThrow('outside of the body')
    expect(() => stream.respond({ ...OK, fields: large })).toThrow(HeadTooLargeError)
    expect(() => stream.respond({ ...OK, fields: ['x', 'a\r\nb'] })).toThrow('U+000D')
    stream.respond(OK)
    expect(() => stream.respond(OK)).toThrow('sent before')
    expect(() => stream.end(large)).toThrow(HeadTooLargeError)
    stream.write(Buffer.alloc(2000))
    expect(() => stream.end(large)).toThrow(HeadTooLargeError)
    expect(() => stream.consume(1)).toThrow(RangeError)
    stream.end(['a', 'b'])
    expect(() => stream.write(Buffer.alloc(1))).toThrow('outside of the body')
    peer.send({ type: 'WINDOW', stream: 1, credit: 5000 })
    const frames = await peer.turn()
    expect(frames.map(({ type }) => type)).toEqual(['HEAD', 'TRAILERS'])
    expect((frames[0] as { body: string }).body).toHaveLength(2 * 2000)
    expect(peer.session.state).toBe('open')
    const opener = await greetedPeer({ role: 'dialer' })
    expect(() => opener.open({ fields: ['x', 'y'.repeat(300_000)] })).toThrow('payload_too_large')
    expect(() => opener.open({ fields: ['Host', 'h\u0100X\u0100y'] })).toThrow('U+0100')
    expect([opener.open().stream.id, opener.session.streamCount]).toEqual([1, 1])
    expect(() => opener.open().stream.respond(OK)).toThrow('only the acceptor')
  })

  it('a head stays within one message, also for a peer that accepts any size', async () => {
    const peer = await greetedPeer({ role: 'dialer' }, { maxFrameBytes: 0xff_ffff })
    expect(() => peer.open({ fields: ['x', 'y'.repeat(1024 * 1024)] })).toThrow('payload_too_large')
    peer.open({ fields: ['x', 'y'.repeat(1024 * 1024 - 100)] })
    expect(peer.session.state).toBe('open')
  })

  it('onWritable comes after a write that returned false, never within it', async () => {
    const peer = await greetedPeer({ role: 'dialer' })
    const recorded = peer.open({}, false)
    expect(recorded.stream.write(Buffer.alloc(200_000))).toBe(true)
    expect(recorded.writableCalls).toBe(0)
    expect(recorded.stream.write(Buffer.alloc(100_000))).toBe(false)
    expect(recorded.writableCalls).toBe(0)
    peer.send({ type: 'WINDOW', stream: 1, credit: 100_000 })
    await loopTurn()
    expect(recorded.writableCalls).toBe(1)
  })
})
