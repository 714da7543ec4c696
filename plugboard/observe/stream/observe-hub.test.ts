// Two or three hubs whose exchanges are joined in memory: feeds of peers, dropped items, broken streams and restarts.

import { silentLogger } from '@vera-stack/shared/log.ts'
import { beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { createObservation, type Observation, REQUESTS_TOPIC } from '../observation.ts'
import { MAX_ITEMS_PER_SECOND } from './live-feeds.ts'
import type { ObserveExchange } from './observe-exchange.ts'
import { encodeObserveMessage } from './observe-message.ts'
import type { ObserveViewer } from './observe-viewer.ts'

let clock: ManualClock
let near: Observation
let far: Observation
let faults: number

beforeEach(() => {
  clock = new ManualClock()
  faults = 0
  near = createObservation('near', clock)
  far = createObservation('far', clock)
})

const countFault = (): void => {
  faults += 1
}

class RecordingViewer implements ObserveViewer {
  readonly paths: string[] = []
  readonly lost = new Map<string, number>()
  changes = 0
  item = (text: string) => void this.paths.push((JSON.parse(text) as { path: string }).path)
  dropped = (id: string, count: number) => void this.lost.set(id, (this.lost.get(id) ?? 0) + count)
  replicasChanged(): void {
    this.changes += 1
  }
}

interface Joined {
  /** Transfers the messages of both directions. */
  pump(): void
  /** Closes both ends. `lose`: messages that are on their way get lost. */
  cut(lose?: number): void
}

/** Joins the hubs by a pair of exchanges. `blocked`: messages of the far end stay there. */
function join(incarnation = 'i1', left = near, right = far, names = ['near', 'far'] as const): Joined {
  const open = (hub: Observation['hub'], peerId: string): ObserveExchange =>
    hub.exchange({ peerId, incarnation, onReady: () => undefined, onFault: countFault })
  const [a, b] = [open(left.hub, names[1]), open(right.hub, names[0])]
  const move = (from: ObserveExchange, to: ObserveExchange): boolean => {
    const message = from.pull()
    if (message !== undefined) to.receive(message)
    return message !== undefined
  }
  return {
    pump: () => {
      for (let moved = true; moved; ) {
        const [first, second] = [move(a, b), move(b, a)]
        moved = first || second
      }
    },
    cut: (lose = 0) => {
      for (let count = 0; count < lose; count += 1) b.pull()
      a.close()
      b.close()
    },
  }
}

const fields = (path: string, status = 200) => ({
  requestId: 'r',
  method: 'GET',
  host: 'test',
  path,
  status,
  durationMs: 1,
  bytesIn: 0,
  bytesOut: 0,
  remoteAddress: '',
})

const publish = (observation: Observation, path: string, status?: number) => {
  if (observation.liveLog.watched) observation.liveLog.publish(fields(path, status), clock.now(), 0)
}

it('sends the lines of both replicas, filtered where they were served, and only while a viewer exists', () => {
  const link = join()
  publish(far, '/before')
  const viewer = new RecordingViewer()
  const watch = near.hub.watch(REQUESTS_TOPIC, { status: '5xx' }, viewer)
  link.pump()
  expect(watch.replicas.get('far')?.state).toBe('watched')
  publish(near, '/near', 500)
  publish(far, '/ok', 200)
  publish(far, '/far', 503)
  link.pump()
  expect(viewer.paths).toEqual(['/near', '/far'])
  expect([near.liveLog.watched, far.liveLog.watched]).toEqual([true, true])
  watch.close()
  link.pump()
  expect([near.liveLog.watched, far.liveLog.watched, near.hub.wanted]).toEqual([false, false, false])
})

it('shares one feed between viewers with equal filters', () => {
  const link = join()
  const viewers = [new RecordingViewer(), new RecordingViewer()]
  const watches = viewers.map(viewer => near.hub.watch(REQUESTS_TOPIC, {}, viewer))
  link.pump()
  publish(far, '/a')
  link.pump()
  watches[0]?.close()
  link.pump()
  publish(far, '/b')
  link.pump()
  expect(viewers.map(({ paths }) => paths)).toEqual([['/a'], ['/a', '/b']])
})

it('asks one replica alone when the viewer names it', () => {
  const link = join()
  const viewer = new RecordingViewer()
  near.hub.watch(REQUESTS_TOPIC, { replica: 'far' }, viewer, 'far')
  link.pump()
  publish(near, '/near')
  publish(far, '/far')
  link.pump()
  expect(viewer.paths).toEqual(['/far'])
})

it('sends at most 1,000 lines in a second, and counts the others', () => {
  const link = join()
  const viewer = new RecordingViewer()
  near.hub.watch(REQUESTS_TOPIC, {}, viewer)
  link.pump()
  for (let count = 0; count < MAX_ITEMS_PER_SECOND + 7; count += 1) publish(far, '/')
  link.pump()
  expect([viewer.paths.length, viewer.lost.get('far')]).toEqual([MAX_ITEMS_PER_SECOND, 7])
  clock.advance(1000)
  publish(far, '/next')
  link.pump()
  expect(viewer.paths.at(-1)).toBe('/next')
})

it('bounds the lines that wait for a blocked link, and counts the rest once it moves', () => {
  const link = join()
  const viewer = new RecordingViewer()
  near.hub.watch(REQUESTS_TOPIC, {}, viewer)
  link.pump()
  for (let second = 0; second < 5; second += 1) {
    for (let count = 0; count < 1000; count += 1) publish(far, '/')
    clock.advance(1000)
  }
  link.pump()
  expect([viewer.paths.length, viewer.lost.get('far')]).toEqual([2000, 3000])
})

it('P40 loses no line when the stream is replaced, and counts those of lost messages', () => {
  const link = join()
  const viewer = new RecordingViewer()
  near.hub.watch(REQUESTS_TOPIC, {}, viewer)
  link.pump()
  publish(far, '/1')
  link.pump()
  publish(far, '/lost')
  link.cut(1)
  publish(far, '/2')
  const second = join()
  second.pump()
  publish(far, '/3')
  second.pump()
  expect([viewer.paths, viewer.lost.get('far')]).toEqual([['/1', '/2', '/3'], 1])
})

it('joins a replica again that has restarted', () => {
  const link = join()
  const viewer = new RecordingViewer()
  const watch = near.hub.watch(REQUESTS_TOPIC, {}, viewer)
  link.pump()
  publish(far, '/old')
  link.pump()
  link.cut()
  expect(watch.replicas.get('far')?.state).toBe('asked')
  far = createObservation('far', clock)
  const second = join('i2')
  second.pump()
  publish(far, '/new')
  second.pump()
  expect([viewer.paths, viewer.lost.size, watch.replicas.get('far')?.state]).toEqual([
    ['/old', '/new'],
    0,
    'watched',
  ])
})

it('closes the feeds of a peer that does not come back', () => {
  const link = join()
  near.hub.watch(REQUESTS_TOPIC, {}, new RecordingViewer())
  link.pump()
  link.cut()
  expect(far.liveLog.watched).toBe(true)
  clock.advance(5000)
  expect(far.liveLog.watched).toBe(false)
})

it('shows the reason of a replica that refuses a feed', () => {
  const link = join()
  const watch = near.hub.watch(REQUESTS_TOPIC, { status: '5xx' }, new RecordingViewer())
  link.pump()
  for (let count = 0; count < 200; count += 1)
    near.hub.watch(REQUESTS_TOPIC, { path: `/${count}` }, new RecordingViewer())
  const last = near.hub.watch(REQUESTS_TOPIC, { path: '/last' }, new RecordingViewer())
  link.pump()
  expect(watch.replicas.get('far')?.state).toBe('watched')
  expect(last.replicas.get('far')).toMatchObject({ state: 'refused', reason: 'too many viewers watch it' })
})

it('logs the error of parameters that it cannot read, and refuses the feed', () => {
  const errors: unknown[] = []
  const log = { ...silentLogger, warn: (_: string, fields?: object) => void errors.push(fields) }
  far = createObservation('far', clock, log)
  const exchange = far.hub.exchange({
    peerId: 'near',
    incarnation: 'i1',
    onReady: () => undefined,
    onFault: countFault,
  })
  exchange.receive(
    encodeObserveMessage({ type: 'watch', id: 1, topic: REQUESTS_TOPIC, params: { status: 17 } }),
  )
  expect(Buffer.from(exchange.pull() ?? []).toString('latin1')).toContain('cannot read this filter')
  expect(errors).toEqual([{ detail: REQUESTS_TOPIC, err: expect.any(Error) }])
})

it('P41 ignores malformed messages and messages of newer versions', () => {
  const exchange = near.hub.exchange({
    peerId: 'far',
    incarnation: 'i1',
    onReady: () => undefined,
    onFault: countFault,
  })
  for (const bytes of [[], [1], [1, 0x7b], [3, ...Buffer.from('{"id":1}')], [99, 1, 2]])
    exchange.receive(Uint8Array.from(bytes))
  exchange.receive(
    Buffer.concat([Buffer.from([1]), Buffer.from('{"id":1,"topic":"constructor","params":{}}')]),
  )
  expect(faults).toBe(3)
  expect(Buffer.from(exchange.pull() ?? []).toString('latin1')).toContain('does not have these live data')
})
