// PROTOCOL.md, "Control messages" and "Versions": P25 to P27.

import { describe, expect, it } from 'vitest'
import type { Announce } from '../../../shared/protocol/control/control.ts'
import vectors from '../../../shared/protocol/vectors.json' with { type: 'json' }
import { greetedPeer, PEER_HELLO, WirePeer } from '../../support/session/wire-peer.ts'

const PROTOCOL_ERROR = { reason: 'protocol_error', bye: 14 }

describe('control messages', () => {
  it('P25 unknown types are ignored with any content', async () => {
    const peer = await greetedPeer()
    for (const message of [
      { type: 'from-the-future', services: 3 },
      { type: '', a: [] },
      { type: '__proto__' },
      { type: 'constructor' },
    ]) {
      peer.control(message)
    }
    expect(await peer.end()).toEqual({ reason: undefined, bye: undefined })
    expect(peer.controls).toEqual([])
  })

  it('P26 a flood of them ends the session with overloaded, and a peer within the rate continues', async () => {
    const peer = await greetedPeer()
    for (let second = 0; second < 60; second += 1) {
      peer.clock.advance(1000)
      for (let count = 0; count < 10; count += 1) peer.control({ type: 'renewed', detail: 'no' })
    }
    expect(peer.controls).toHaveLength(600)
    for (let count = 0; count < 100; count += 1) peer.control({ type: 'renewed', detail: 'no' })
    expect(peer.controls.length).toBeLessThanOrEqual(664)
    expect((await peer.end()).reason).toBe('overloaded')
  })

  it('P25 unknown keys are ignored, also in hello', async () => {
    const peer = await new WirePeer().greet({ colour: 'blue', features: ['telepathy'], versions: [1, 1] })
    expect(peer.session.state).toBe('open')
    expect(peer.session.peer).toEqual({ ...PEER_HELLO, features: ['telepathy'] })
    peer.control({ type: 'renewed', token: 'x', shape: 'round' })
    expect(peer.controls).toEqual([{ type: 'renewed', token: 'x' }])
  })

  it('P25 a known type with a missing or malformed value is a protocol error', async () => {
    for (const { name, text } of vectors.malformedControl) {
      const peer = await greetedPeer()
      peer.send({ type: 'CONTROL', text })
      expect(await peer.end(), name).toEqual(PROTOCOL_ERROR)
      expect(peer.controls).toEqual([])
    }
  })

  it('P25 every value of a hello is checked, and required unless it is optional', async () => {
    const mayBeMissing = new Set(['features', 'startedAt'])
    for (const key of Object.keys(PEER_HELLO)) {
      const { [key as keyof typeof PEER_HELLO]: _, ...rest } = PEER_HELLO
      const peer = new WirePeer()
      peer.control(rest)
      if (mayBeMissing.has(key)) expect(peer.session.state, key).toBe('open')
      else expect(await peer.end(), key).toEqual(PROTOCOL_ERROR)
    }
    for (const change of [
      { maxFrameBytes: 16_383 },
      { maxFrameBytes: 0x100_0000 },
      { initialWindowBytes: 1023 },
      { initialWindowBytes: 0x8000_0000 },
      { initialWindowBytes: 1e300 },
      { maxStreams: -1 },
      { maxStreams: 1.5 },
      { versions: [1] },
      { versions: [0, 1] },
      { versions: '1' },
      { instance: 'short' },
      { name: '' },
      { features: 'all' },
    ]) {
      const peer = new WirePeer()
      peer.control({ ...PEER_HELLO, ...change })
      expect(await peer.end(), JSON.stringify(change)).toEqual(PROTOCOL_ERROR)
    }
  })

  it('P25 an optional value has a default', async () => {
    const peer = await greetedPeer()
    peer.control({ type: 'announce', id: 1, services: [{ service: 'app' }] })
    peer.control({ type: 'announced', id: 1, results: [{ service: 'app', accepted: true }] })
    expect(peer.controls).toEqual([
      {
        type: 'announce',
        id: 1,
        services: [{ service: 'app', health: 'up', weight: 100, version: '', labels: {} }],
      },
      { type: 'announced', id: 1, results: [{ service: 'app', accepted: true, urls: [] }] },
    ])
  })

  it('an announced outage is bounded', async () => {
    const service = (outage: unknown) => ({ type: 'announce', id: 1, services: [{ service: 'app', outage }] })
    const detail = '/healthz returned 500'
    const peer = await greetedPeer()
    peer.control(service({ sinceMs: 1, cause: 'health_check_failed', detail }))
    peer.control(service({ sinceMs: 1, detail, later: true }))
    const outages = peer.controls.map(message => (message as Announce).services[0]?.outage)
    expect(outages).toEqual([
      { sinceMs: 1, cause: 'health_check_failed', detail },
      { sinceMs: 1, detail },
    ])
    for (const wrong of [{ sinceMs: -1, detail }, { sinceMs: 1 }, { sinceMs: 1, detail: 'x'.repeat(201) }]) {
      const other = await greetedPeer()
      other.control(service(wrong))
      expect(await other.end(), JSON.stringify(wrong)).toEqual(PROTOCOL_ERROR)
    }
  })

  it('passes every type to its owner, except the types of the session itself', async () => {
    const peer = await greetedPeer()
    const messages = [
      { type: 'renew' },
      { type: 'renewed', detail: 'no' },
      { type: 'replicas', replicas: [{ id: 'a', url: 'wss://a.example/' }] },
      { type: 'probe', service: 'app' },
      { type: 'probed', service: 'app', health: 'down' },
    ]
    for (const message of messages) peer.control(message)
    peer.control({ type: 'drain', graceMs: 1 })
    expect(peer.controls).toEqual(messages)
  })
})

describe('versions', () => {
  it('P27 both ends use the highest version in both ranges', async () => {
    for (const [ours, theirs, agreed] of [
      [[1, 1], [1, 1], 1],
      [[1, 2], [2, 3], 2],
      [[1, 4], [2, 3], 3],
      [[2, 3], [1, 4], 3],
      [[1, 1], [1, 900], 1],
    ] as const) {
      const peer = await new WirePeer({ versions: ours }).greet({ versions: theirs })
      expect(peer.readyVersion, `${ours} and ${theirs}`).toBe(agreed)
    }
  })

  it('P27 ranges without a common version end the session with unsupported_version', async () => {
    for (const [ours, theirs] of [
      [
        [1, 1],
        [2, 3],
      ],
      [
        [3, 4],
        [1, 2],
      ],
      [
        [1, 3],
        [3, 2],
      ],
    ] as const) {
      const peer = await new WirePeer({ versions: ours }).greet({ versions: theirs })
      await new Promise<void>(resolve => setImmediate(resolve))
      expect(peer.closes[0]?.reason, `${ours} and ${theirs}`).toBe('unsupported_version')
      expect(peer.readyVersion).toBeUndefined()
      expect(peer.clock.pendingTimers).toBe(0)
    }
  })

  it('P27 the BYE has the reason unsupported_version', async () => {
    const peer = new WirePeer()
    peer.control({ ...PEER_HELLO, versions: [2, 3] })
    expect(await peer.end()).toEqual({ reason: 'unsupported_version', bye: 20 })
  })
})
