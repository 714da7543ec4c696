// PROTOCOL.md, "Streams": P11 to P15. The state table is run cell by cell.

import { describe, expect, it } from 'vitest'
import { STREAM_KINDS } from '../../../shared/protocol/wire/stream-kind.ts'
import { type Frame, messageOf } from '../../support/protocol/twin-codec.ts'
import { RecordedStream } from '../../support/session/recorded-stream.ts'
import { dataFrame, greetedPeer, headFrame, openFrame, WirePeer } from '../../support/session/wire-peer.ts'

const PROTOCOL_ERROR = { reason: 'protocol_error', bye: 14 }
const OK = { status: 200, statusText: 'OK', fields: [] }

describe('ids and kinds', () => {
  it('P11 a dialer opens odd ids, an acceptor even ones, each in rising order', async () => {
    for (const [role, ids] of [
      ['dialer', [1, 3, 5]],
      ['acceptor', [2, 4, 6]],
    ] as const) {
      const peer = await greetedPeer({ role })
      expect(ids.map(() => peer.open().stream.id)).toEqual(ids)
      expect((await peer.turnOf('OPEN')).map(({ stream }) => stream)).toEqual(ids)
    }
  })

  it('P11 an OPEN with another id is a protocol error', async () => {
    for (const [role, ids] of [
      ['acceptor', [2]],
      ['acceptor', [3, 3]],
      ['acceptor', [5, 3]],
      ['dialer', [1]],
      ['dialer', [4, 2]],
    ] as const) {
      const peer = await greetedPeer({ role })
      for (const id of ids) peer.send(openFrame(id, { end: true }))
      expect(await peer.end(), `${role} gets ${ids}`).toEqual(PROTOCOL_ERROR)
    }
  })

  it('P11 an id is never reused, also after its stream was reset', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1), { type: 'RESET', stream: 1, reason: 1, detail: '' }, openFrame(1))
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
  })

  it('P12 a stream of an unknown or reserved kind is refused, and the session continues', async () => {
    const peer = await greetedPeer()
    for (const [index, kind] of [0, 3, 4, 10, 255].entries()) {
      const stream = 2 * index + 1
      peer.send(openFrame(stream, { kind }), dataFrame(stream, 10, true))
      expect(await peer.turn()).toEqual([{ type: 'RESET', stream, reason: 5, detail: '' }])
    }
    expect([peer.accepted.size, peer.session.state, peer.session.streamCount]).toEqual([0, 'open', 0])
  })

  it('P12 a stream of every kind in the table is passed to the application', async () => {
    const peer = await greetedPeer()
    Object.values(STREAM_KINDS).forEach((kind, index) => {
      peer.send(openFrame(2 * index + 1, { kind }))
    })
    expect([...peer.accepted.values()].map(({ opening }) => opening?.kind)).toEqual(Object.keys(STREAM_KINDS))
  })

  it('P12 a stream above maxStreams is refused with overloaded, until an open one has closed', async () => {
    const peer = await greetedPeer({ limits: { maxStreams: 2 } })
    peer.send(openFrame(1), openFrame(3), openFrame(5), dataFrame(5, 10, true))
    expect(await peer.turn()).toEqual([{ type: 'RESET', stream: 5, reason: 4, detail: '' }])
    peer.send({ type: 'RESET', stream: 3, reason: 1, detail: '' }, openFrame(7))
    expect([...peer.accepted.keys()]).toEqual([1, 3, 7])
    // Streams that this end opens do not count for the limit of the peer.
    peer.open()
    peer.send({ type: 'RESET', stream: 1, reason: 1, detail: '' }, openFrame(9))
    expect([...peer.accepted.keys()]).toEqual([1, 3, 7, 9])
  })

  it('P12 this end opens at most as many streams as the peer accepts', async () => {
    const peer = await greetedPeer({}, { maxStreams: 1 })
    const first = peer.open()
    expect(peer.session.canOpen).toBe(false)
    expect(() => peer.open()).toThrow('overloaded')
    first.stream.reset('cancelled')
    expect(peer.session.canOpen).toBe(true)
  })
})

describe('clients', () => {
  const opening = {
    kind: 'http',
    hops: 0,
    service: 's',
    method: 'GET',
    target: '/',
    fields: ['A', 'b'],
  } as const
  const mine = { ...opening, fields: [...opening.fields], client: '192.0.2.7' }

  it('P33 the client of a stream is stated to a peer that has the feature, and to no other', async () => {
    const blocks: string[][] = []
    for (const features of [['client'], []]) {
      const peer = await greetedPeer({}, { features })
      peer.session.open(mine, new RecordedStream(), true)
      peer.session.open({ ...mine, client: '' }, new RecordedStream(), true)
      blocks.push(...(await peer.turnOf('OPEN')).map(({ strings }) => strings))
    }
    const plain = ['s', 'GET', '/', 'A', 'b']
    expect(blocks).toEqual([['s', 'GET', '/', '', '192.0.2.7', 'A', 'b'], plain, plain, plain])
  })

  it('P33 the stated client is not a field of the stream', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1, { strings: ['s', 'GET', '/', '', '2001:db8:0:7::/64', 'A', 'b'] }))
    peer.send(openFrame(3, { strings: ['s', 'GET', '/', 'A', 'b'] }))
    peer.send(openFrame(5, { strings: ['s', 'GET', '/', '', ''] }))
    const openings = [...peer.accepted.values()].map(({ opening }) => [opening?.client, opening?.fields])
    expect(openings).toEqual([
      ['2001:db8:0:7::/64', ['A', 'b']],
      ['', ['A', 'b']],
      ['', []],
    ])
  })

  it('P33 the feature is in the hello of each end', async () => {
    for (const role of ['dialer', 'acceptor'] as const) {
      const [hello] = await new WirePeer({ role }).turn()
      expect(JSON.parse((hello as { text: string }).text).features).toContain('client')
    }
  })

  it('a client gets its share of the streams that the peer accepts, and others get the rest', async () => {
    const peer = await greetedPeer({}, { maxStreams: 4 })
    const open = (client: string) => peer.session.open({ ...mine, client }, new RecordedStream(), true)
    const first = open('a')
    open('a')
    open('a')
    expect([peer.session.hasRoomFor('a'), peer.session.hasRoomFor('b')]).toEqual([false, true])
    expect(() => open('a')).toThrow('client_share')
    first.reset('cancelled')
    open('a')
    open('b')
    expect(() => open('b')).toThrow('overloaded')
  })

  it('a share of 100 % and a stream without a client have only the limit of the peer', async () => {
    for (const [clientSharePercent, client] of [
      [100, 'a'],
      [75, ''],
    ] as const) {
      const peer = await greetedPeer({ limits: { clientSharePercent } }, { maxStreams: 4 })
      for (let opened = 0; opened < 4; opened += 1) {
        peer.session.open({ ...mine, client }, new RecordedStream(), true)
      }
      expect(peer.session.canOpen).toBe(false)
    }
  })
})

describe('the state table', () => {
  const FRAMES: Record<string, (stream: number) => Frame> = {
    'HEAD < 200': stream => headFrame(stream, { status: 103 }),
    'final HEAD': stream => headFrame(stream),
    DATA: stream => dataFrame(stream, 5),
    END: stream => dataFrame(stream, 0, true),
    TRAILERS: stream => ({ type: 'TRAILERS', stream, strings: ['a', 'b'] }),
    WINDOW: stream => ({ type: 'WINDOW', stream, credit: 5 }),
    RESET: stream => ({ type: 'RESET', stream, reason: 1, detail: '' }),
  }
  type Outcome = 'deliver' | '→ body' | '→ ended' | '→ closed' | 'credit' | 'ignore' | 'error'
  const TABLE: Record<string, Outcome[]> = {
    // HEAD < 200, final HEAD, DATA, END, TRAILERS, WINDOW, RESET
    'await head': ['deliver', '→ body', 'error', 'error', 'error', 'credit', '→ closed'],
    body: ['error', 'error', 'deliver', '→ ended', '→ ended', 'credit', '→ closed'],
    ended: ['error', 'error', 'error', 'error', 'error', 'credit', '→ closed'],
    closed: ['ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore'],
    'never opened': ['error', 'error', 'error', 'error', 'error', 'error', 'error'],
  }

  /** Returns a stream that the session has opened, with the peer's half in the given state. */
  async function openerIn(state: string) {
    const peer = await greetedPeer({ role: 'dialer' })
    const recorded = peer.open({}, false)
    const { id } = recorded.stream
    if (state === 'body') peer.send(headFrame(id))
    if (state === 'ended') peer.send(headFrame(id, { end: true }))
    if (state === 'closed') recorded.stream.reset('cancelled')
    await peer.turn()
    return { peer, recorded, id: state === 'never opened' ? id + 2 : id }
  }

  /** Returns a stream that the peer has opened. The peer's half is never in `await head`. */
  async function acceptorIn(state: string) {
    const peer = await greetedPeer({ role: 'acceptor' })
    peer.send(openFrame(1, { end: state === 'ended' }))
    const recorded = peer.accepted.get(1)!
    if (state === 'closed') recorded.stream.reset('cancelled')
    await peer.turn()
    return { peer, recorded, id: state === 'never opened' ? 3 : 1 }
  }

  for (const [state, outcomes] of Object.entries(TABLE)) {
    for (const [index, [name, frameOf]] of Object.entries(FRAMES).entries()) {
      const outcome = outcomes[index]!
      const setUps = state === 'await head' ? [openerIn] : [openerIn, acceptorIn]
      it.each(setUps.map(setUp => [setUp === openerIn ? 'acceptor' : 'opener', setUp] as const))(
        `P13 in "${state}", ${name} from the %s: ${outcome}`,
        async (_, setUp) => {
          const { peer, recorded, id } = await setUp(state)
          const before = { heads: recorded.heads.length, bytes: recorded.receivedBytes }
          peer.send(frameOf(id))
          const end = await peer.end()
          expect(end).toEqual(outcome === 'error' ? PROTOCOL_ERROR : { reason: undefined, bye: undefined })
          expect(recorded.violations).toEqual([])
          if (outcome === 'error') return
          const delivered = { heads: recorded.heads.length, bytes: recorded.receivedBytes }
          const changed = outcome === 'deliver' || outcome === '→ body'
          if (changed) expect(delivered).not.toEqual(before)
          else expect(delivered).toEqual(before)
          expect(recorded.ended).toBe(outcome === '→ ended' || state === 'ended')
          expect(recorded.stream.open).toBe(outcome !== '→ closed' && state !== 'closed')
          expect(recorded.aborted?.reason).toBe(outcome === '→ closed' ? 'cancelled' : undefined)
        },
      )
    }
  }

  it('P13 body and END in a HEAD frame obey the table too', async () => {
    for (const frames of [
      [headFrame(1, { status: 103, body: '61' })],
      [headFrame(1, { status: 103, end: true })],
      [headFrame(1, { end: true }), dataFrame(1, 1)],
    ]) {
      const peer = await greetedPeer({ role: 'dialer' })
      peer.open({}, false)
      peer.send(...frames)
      expect(await peer.end()).toEqual(PROTOCOL_ERROR)
    }
  })

  it('P13 HEAD 101 is final: bytes follow', async () => {
    const peer = await greetedPeer({ role: 'dialer' })
    const recorded = peer.open({ kind: 'upgrade' }, false)
    peer.send(headFrame(1, { status: 101, body: '0001' }), dataFrame(1, 3))
    expect(recorded.receivedBytes).toBe(5)
    peer.send(headFrame(1))
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
  })
})

describe('the end of a stream', () => {
  it('P14 a stream is closed when both halves have ended; frames for it are ignored', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1, { end: true }))
    const { stream } = peer.accepted.get(1)!
    stream.respond(OK)
    stream.end()
    expect([stream.open, peer.session.streamCount]).toEqual([false, 0])
    peer.send(dataFrame(1, 1), { type: 'WINDOW', stream: 1, credit: 0xffff_ffff }, headFrame(1))
    peer.send({ type: 'RESET', stream: 1, reason: 1, detail: '' })
    expect(await peer.end()).toEqual({ reason: undefined, bye: undefined })
    expect(peer.accepted.get(1)!.aborted).toBeUndefined()
  })

  it('P14 an id that the opener has skipped counts as closed', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(5), dataFrame(3, 1), { type: 'WINDOW', stream: 1, credit: 1 })
    expect(await peer.end()).toEqual({ reason: undefined, bye: undefined })
    peer.send(dataFrame(7, 1))
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
  })

  it('P15 RESET, BYE or a lost connection end both halves: no body looks complete', async () => {
    const endings: [string, Frame | undefined, string][] = [
      ['RESET', { type: 'RESET', stream: 1, reason: 10, detail: 'x' }, 'backend_closed'],
      ['BYE', { type: 'BYE', reason: 17, detail: '' }, 'going_away'],
      ['loss', undefined, 'session_lost'],
    ]
    for (const [name, frame, reason] of endings) {
      const peer = await greetedPeer()
      peer.send(openFrame(1), dataFrame(1, 10))
      const recorded = peer.accepted.get(1)!
      recorded.stream.respond(OK)
      if (frame === undefined) peer.transport.lose()
      else peer.transport.receive(messageOf(frame))
      expect(recorded.stream.open, name).toBe(false)
      expect([recorded.ended, recorded.aborted?.reason], name).toEqual([false, reason])
      expect(recorded.aborted?.remote, name).toBe(frame !== undefined)
      // Later actions of the owner have no effect.
      recorded.stream.write(Buffer.from('x'))
      recorded.stream.end()
      recorded.stream.reset('cancelled')
      const late = (await peer.turn()).filter(sent => 'stream' in sent && sent.type !== 'HEAD')
      expect([recorded.violations, late], name).toEqual([[], []])
    }
  })
})

describe('P29 affinity', () => {
  const ID = ['Plugboard-Affinity', 'some-id']

  it('P29 the id is the last field of an OPEN, for an acceptor with the feature', async () => {
    for (const [features, fields] of [
      [['affinity'], ['X', 'y', ...ID]],
      [[], ['X', 'y']],
    ] as const) {
      const peer = await greetedPeer({ role: 'dialer' }, { features: [...features] })
      peer.open({ fields: ['X', 'y'], affinity: 'some-id' })
      expect((await peer.turnOf('OPEN')).map(frame => frame.strings.slice(3))).toEqual([fields])
    }
  })

  it('P29 an owner gets the id separately from the fields', async () => {
    const peer = await greetedPeer()
    const fields = { 1: ['X', 'y', ...ID], 3: [...ID, 'X', 'y'], 5: ['X', 'Plugboard-Affinity'], 7: [] }
    for (const [id, pairs] of Object.entries(fields)) {
      peer.send(openFrame(Number(id), { strings: ['app', 'GET', '/', ...pairs] }))
    }
    await peer.turn()
    const openings = [1, 3, 5, 7].map(id => peer.accepted.get(id)?.opening)
    expect(openings.map(opening => [opening?.affinity, opening?.fields])).toEqual([
      ['some-id', ['X', 'y']],
      [undefined, [...ID, 'X', 'y']],
      [undefined, ['X', 'Plugboard-Affinity']],
      [undefined, []],
    ])
  })

  it('P29 our hello has the feature', async () => {
    const [hello] = await new WirePeer().turnOf('CONTROL')
    expect(JSON.parse(hello?.text ?? '').features).toContain('affinity')
  })
})
