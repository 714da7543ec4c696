// The cause of a reset (PROTOCOL.md, "Causes").

import { describe, expect, it } from 'vitest'
import type { Opening } from '../../../shared/protocol/streams/stream.ts'
import { RecordedStream } from '../../support/session/recorded-stream.ts'
import { greetedPeer, openFrame, WirePeer } from '../../support/session/wire-peer.ts'

const UNREACHABLE = 7
const TEXT = 'Backend http://127.0.0.1:3000 refused the connection.'
const opening = {
  kind: 'http',
  hops: 0,
  service: 's',
  method: 'GET',
  target: '/',
  fields: [],
} satisfies Opening

describe('P34 causes', () => {
  it('P34 the cause is stated to a peer with the feature, and to no other', async () => {
    for (const [features, detail] of [
      [['cause'], `connection_refused\0${TEXT}`],
      [[], TEXT],
    ] as const) {
      const peer = await greetedPeer({}, { features: [...features] })
      peer.send(openFrame(1))
      peer.accepted.get(1)?.stream.reset('backend_unreachable', TEXT, 'connection_refused')
      expect(await peer.turnOf('RESET')).toEqual([{ type: 'RESET', stream: 1, reason: UNREACHABLE, detail }])
    }
  })

  it('P34 a detail without a cause is a text', async () => {
    expect(await received('x_1\0text')).toEqual(['x_1', 'text'])
    expect(await received('text')).toEqual([undefined, 'text'])
    expect(await received('')).toEqual([undefined, ''])
    expect(await received('x\0')).toEqual(['x', ''])
    for (const cause of ['', 'Upper', '1st', 'with space', 'x'.repeat(41)]) {
      expect(await received(`${cause}\0text`)).toEqual([undefined, `${cause}?text`])
    }
  })

  it('P35 the text has at most 200 units and no control character', async () => {
    const [cause, detail = ''] = await received(`x\0\x1b[2J\r\n\x9b\0${'y'.repeat(400)}`)
    expect(cause).toBe('x')
    expect(detail.startsWith('?[2J????y')).toBe(true)
    expect(detail.length).toBeLessThanOrEqual(201)
  })

  it('P34 the feature is in the hello of each end', async () => {
    for (const role of ['dialer', 'acceptor'] as const) {
      const [hello] = await new WirePeer({ role }).turn()
      expect(JSON.parse((hello as { text: string }).text).features).toContain('cause')
    }
  })
})

/** The cause and the text that the owner of a stream gets for the detail of a RESET. */
async function received(detail: string): Promise<[string | undefined, string | undefined]> {
  const peer = await greetedPeer()
  const recorded = new RecordedStream()
  peer.session.open(opening, recorded, true)
  peer.send({ type: 'RESET', stream: 2, reason: UNREACHABLE, detail })
  await peer.turn()
  return [recorded.aborted?.causeCode, recorded.aborted?.detail]
}
