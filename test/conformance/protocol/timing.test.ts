// The time of the backend in the head of a response (PROTOCOL.md, "Timing").

import { describe, expect, it } from 'vitest'
import { greetedPeer, headFrame, openFrame, WirePeer } from '../../support/session/wire-peer.ts'

const OK = { status: 200, statusText: 'OK', fields: [] }

describe('P39 timing', () => {
  it('P39 the time of the backend is stated to a peer with the feature, and to no other', async () => {
    for (const [features, timing] of [
      [['timing'], { backendUs: 1500 }],
      [[], {}],
    ] as const) {
      const peer = await greetedPeer({}, { features: [...features] })
      peer.send(openFrame(1))
      peer.accepted.get(1)?.stream.respond({ ...OK, backendUs: 1500 })
      expect(await peer.turnOf('HEAD')).toEqual([headFrame(1, timing)])
    }
  })

  it('P39 a head without a known time, and an informational head, state none', async () => {
    const peer = await greetedPeer({}, { features: ['timing'] })
    peer.send(openFrame(1))
    const { stream } = peer.accepted.get(1) ?? {}
    stream?.respond({ ...OK, status: 103, backendUs: 7 })
    stream?.respond(OK)
    expect(await peer.turnOf('HEAD')).toEqual([headFrame(1, { status: 103 }), headFrame(1)])
  })

  it('P39 the time reaches the opener, with and without the flag', async () => {
    const peer = await greetedPeer()
    const timed = peer.open()
    const untimed = peer.open()
    peer.send(headFrame(2, { backendUs: 0xffff_ffff, end: true }), headFrame(4, { end: true }))
    expect(timed.heads).toEqual([{ ...OK, backendUs: 0xffff_ffff }])
    expect(untimed.heads).toEqual([OK])
  })

  it('P39 the feature is in the hello of each end', async () => {
    for (const role of ['dialer', 'acceptor'] as const) {
      const [hello] = await new WirePeer({ role }).turn()
      expect(JSON.parse((hello as { text: string }).text).features).toContain('timing')
    }
  })
})
