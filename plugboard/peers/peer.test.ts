import { silentLogger } from '@vera-stack/shared/log.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { expect, it, onTestFinished } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { memoryTransportPair } from '../../test/support/session/memory-transport.ts'
import { RecordedStream } from '../../test/support/session/recorded-stream.ts'
import { SessionEnd } from '../../test/support/session/session-pair.ts'
import { asReplicaId } from '../common/ids/replica-id.ts'
import { LimitTable } from '../limits/limit-table.ts'
import { SharedBudgets } from '../limits/sharing/shared-budgets.ts'
import { createObservation, REQUESTS_TOPIC } from '../observe/observation.ts'
import { encodeObserveMessage } from '../observe/stream/observe-message.ts'
import { newIncarnation } from '../registry/incarnation.ts'
import { asTunnelId, lineId } from '../registry/line-ids.ts'
import { Registry } from '../registry/registry.ts'
import { RegistryFollower } from '../registry/sync/registry-follower.ts'
import { RegistryOwner } from '../registry/sync/registry-owner.ts'
import { TunnelCounts } from '../registry/tunnel-counts.ts'
import { messageOpening } from './channels/message-stream.ts'
import { Peer } from './peer.ts'

const REQUEST: Opening = { kind: 'http', hops: 0, service: 'web', method: 'POST', target: '/', fields: [] }

/** Creates a peer whose far end is a bare session of the test, with a limit of `maxStreams`. */
function setUp(maxStreams: number) {
  const clock = new ManualClock()
  const sharedBudgets = new SharedBudgets({ table: new LimitTable(), clock })
  const { hub, liveLog } = createObservation('dialer', clock)
  const registry = new Registry()
  const self = { id: asReplicaId('dialer'), incarnation: newIncarnation(1000, () => 0) }
  const owner = new RegistryOwner({ registry, replicaId: self.id, incarnation: self.incarnation })
  const follower = new RegistryFollower({ registry, replicaId: self.id, clock })
  const peer = new Peer(asReplicaId('acceptor'), {
    self,
    owner,
    follower,
    forwarded: new LabelledCounts(),
    tunnelCounts: new TunnelCounts(),
    sharedBudgets,
    observeHub: hub,
    clock,
    limits: {},
    random: () => 0.5,
    log: silentLogger,
    identity: { agent: 'test/1', name: self.id, instance: self.incarnation, startedAt: 1 },
    respondToQuery: () => undefined,
    openLocal: () => expect.fail('a stream was forwarded'),
    report: () => ({
      state: 'ready',
      address: '',
      version: '1',
      startedAt: 1,
      appliedSequence: 0,
      tunnels: 0,
      streams: 0,
    }),
    changed: () => undefined,
  })
  const link = memoryTransportPair({ clock })
  const far = new SessionEnd('acceptor', link.b, clock, { maxStreams }, 2 ** 30, () => undefined)
  const session = peer.join('instance-acceptor', link.a, 'dialer')
  onTestFinished(() => {
    session.close('going_away')
    far.session.close('going_away')
    sharedBudgets.stop()
    hub.stop()
    owner.close()
    follower.close()
  })
  const streamsOf = (kind: string): RecordedStream[] =>
    far.accepted.filter(({ opening }) => opening?.kind === kind)
  const streamOf = (kind: string, index: number): Promise<RecordedStream> =>
    eventually(`${kind} stream ${index}`, () => {
      clock.advance(50)
      return streamsOf(kind)[index]
    })
  const registryStream = (index: number): Promise<RecordedStream> => streamOf('registry', index)
  return { hub, liveLog, clock, peer, far, registryStream, streamOf, streamsOf }
}

it('opens the exchange again, even after an attempt without a free stream', async () => {
  const { peer, far, registryStream, clock } = setUp(1)
  const first = await registryStream(0)
  first.stream.reset('internal_error')
  const held = new RecordedStream()
  await eventually('the only stream is free, and taken by a request', () => {
    if (!peer.canOpen) return undefined
    held.stream = peer.open(REQUEST, held, false, lineId(asTunnelId('tunnel'), 'web'))
    return true
  })
  await eventually('the request arrives', () => far.accepted.find(({ opening }) => opening?.kind === 'http'))
  clock.advance(1000)
  held.stream.reset('cancelled')
  await registryStream(1)
})

it('opens the exchange of live data only for a viewer, and shows a peer that does not have it', async () => {
  const { clock, peer, hub, streamOf, streamsOf, registryStream } = setUp(10)
  await registryStream(0)
  for (let count = 0; count < 20; count += 1) await clock.advanceAsync(100)
  expect(streamsOf('observe')).toEqual([])
  const viewer = { item: () => undefined, dropped: () => undefined, replicasChanged: () => undefined }
  hub.watch(REQUESTS_TOPIC, {}, viewer)
  peer.openObserve()
  const stream = await streamOf('observe', 0)
  expect(peer.observeState).toBe('closed')
  stream.stream.reset('unknown_kind')
  await eventually('the refusal arrives', () => (peer.observeState === 'unsupported' ? true : undefined))
  for (let count = 0; count < 20; count += 1) await clock.advanceAsync(100)
  expect(streamsOf('observe')).toHaveLength(1)
})

it('sends the live data that wait before it closes its links', async () => {
  const { peer, far, hub, liveLog, registryStream } = setUp(10)
  await registryStream(0)
  const viewer = new RecordedStream()
  viewer.stream = far.session.open(messageOpening('observe'), viewer, false)
  const watch = encodeObserveMessage({ type: 'watch', id: 1, topic: REQUESTS_TOPIC, params: {} })
  const length = Buffer.alloc(4)
  length.writeUInt32BE(watch.length)
  viewer.stream.write(Buffer.concat([length, watch]))
  await eventually('the feed is open', () => (liveLog.watched ? true : undefined))
  const line = { method: 'GET', host: '', path: '/last', status: 200, durationMs: 1, bytesIn: 0, bytesOut: 0 }
  liveLog.publish({ ...line, requestId: 'r', remoteAddress: '' }, 0, 0)
  const drained = peer.drain(10_000)
  await eventually('the peer ends its half', () => (viewer.ended ? true : undefined))
  expect(viewer.body.toString('latin1')).toContain('"path":"/last"')
  viewer.stream.reset('cancelled')
  await drained
  hub.stop()
})

it('opens the exchange of shared limits beside the registry, and again when it breaks', async () => {
  const { peer, streamOf, streamsOf } = setUp(10)
  const first = await streamOf('share', 0)
  expect(peer.shareState).toBe('closed')
  first.stream.respond({ status: 200, statusText: '', fields: [] })
  await eventually('the exchange is open', () => (peer.shareState === 'open' ? true : undefined))
  first.stream.reset('internal_error')
  await streamOf('share', 1)
  expect(streamsOf('registry')).toHaveLength(1)
})

it('does not open the exchange of shared limits again when the peer does not have this kind of stream', async () => {
  const { clock, peer, streamOf, streamsOf } = setUp(10)
  const first = await streamOf('share', 0)
  first.stream.reset('unknown_kind')
  await eventually('the refusal arrives', () => (peer.shareState === 'unsupported' ? true : undefined))
  for (let count = 0; count < 20; count += 1) await clock.advanceAsync(100)
  expect([streamsOf('share').length, peer.shareState, peer.shareAgeMs]).toEqual([1, 'unsupported', undefined])
  // The registry is not affected.
  expect(streamsOf('registry')).toHaveLength(1)
})
