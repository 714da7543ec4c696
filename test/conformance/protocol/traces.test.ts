// The mark of traced requests (PROTOCOL.md, "Traces").

import { describe, expect, it } from 'vitest'
import { greetedPeer, openFrame, WirePeer } from '../../support/session/wire-peer.ts'

const MARK = ['Plugboard-Traced', '1']
const AFFINITY = ['Plugboard-Affinity', 'some-id']

describe('P42 traces', () => {
  it('P42 the mark of a traced request is sent to a peer with the feature, and to no other', async () => {
    for (const [features, traced, fields] of [
      [['trace'], true, ['X', 'y', ...MARK]],
      [['trace'], false, ['X', 'y']],
      [['trace'], undefined, ['X', 'y']],
      [[], true, ['X', 'y']],
    ] as const) {
      const peer = await greetedPeer({}, { features: [...features] })
      peer.open({ fields: ['X', 'y'], traced })
      expect((await peer.turnOf('OPEN')).map(frame => frame.strings.slice(3))).toEqual([fields])
    }
  })

  it('P42 the mark is behind the id of the client connection', async () => {
    const peer = await greetedPeer({}, { features: ['trace', 'affinity'] })
    peer.open({ fields: ['X', 'y'], affinity: 'some-id', traced: true })
    const strings = (await peer.turnOf('OPEN')).flatMap(frame => frame.strings.slice(3))
    expect(strings).toEqual(['X', 'y', ...AFFINITY, ...MARK])
  })

  it('P42 a receiver removes the mark, and reports the decision of the opener', async () => {
    for (const [features, decision] of [
      [[], undefined],
      [['traces'], false],
    ] as const) {
      const peer = await greetedPeer({}, { features: [...features] })
      const fields = {
        1: ['X', 'y', ...MARK],
        3: ['X', 'y', ...AFFINITY, ...MARK],
        5: ['X', 'y'],
        7: [...MARK, 'X', 'y'],
      }
      for (const [id, pairs] of Object.entries(fields))
        peer.send(openFrame(Number(id), { strings: ['app', 'GET', '/', ...pairs] }))
      await peer.turn()
      const openings = [1, 3, 5, 7].map(id => peer.accepted.get(id)?.opening)
      expect(openings.map(opening => [opening?.traced, opening?.affinity, opening?.fields])).toEqual([
        [true, undefined, ['X', 'y']],
        [true, 'some-id', ['X', 'y']],
        [decision, undefined, ['X', 'y']],
        // Another field of the opener follows, so this one is not the mark.
        [decision, undefined, [...MARK, 'X', 'y']],
      ])
    }
  })

  it('P42 the feature is in the hello of each end', async () => {
    for (const role of ['dialer', 'acceptor'] as const) {
      const [hello] = await new WirePeer({ role }).turnOf('CONTROL')
      expect(JSON.parse(hello?.text ?? '').features).toContain('trace')
    }
  })
})
