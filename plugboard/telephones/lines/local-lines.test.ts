import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { beforeEach, expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { RecordedStream } from '../../../test/support/session/recorded-stream.ts'
import { asTunnelId, parseStreamTarget } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import type { Upstream } from '../../registry/upstream.ts'
import { LinePicker } from '../picker/line-picker.ts'
import { LocalLines } from './local-lines.ts'

class Tunnel implements Upstream {
  canOpen = true
  reachable = true
  streamCount = 0
  refusal: TunnelError | undefined
  readonly opened: Opening[] = []

  open(opening: Opening, events: StreamEvents): Stream {
    if (this.refusal !== undefined) throw this.refusal
    this.opened.push(opening)
    return (events as RecordedStream).stream
  }
}

const tunnels = new Map<string, Tunnel>()
let lines: LocalLines

beforeEach(() => {
  tunnels.clear()
  const registry = new Registry()
  const picker = new LinePicker({
    registry,
    countsTunnelStreams: true,
    upstreamOf: line => tunnels.get(line.tunnelId),
  })
  lines = new LocalLines({ picker, tunnelOf: id => tunnels.get(id) })
  for (const id of ['idle', 'busy']) {
    tunnels.set(id, new Tunnel())
    registry.replace(asTunnelId(id), [makeLine('b', id, 'web')])
  }
  tunnels.get('busy')!.streamCount = 3
})

const open = (name: string, fields: string[] = []): Stream => {
  const target = parseStreamTarget(name)
  return lines.open(
    target,
    { kind: 'http', hops: 1, service: target.service, method: 'GET', target: '/', fields },
    new RecordedStream(),
    true,
  )
}
const opened = (): string[] =>
  [...tunnels].flatMap(([id, tunnel]) => tunnel.opened.map(({ service }) => `${id} ${service}`))

it('opens the stream on the line that the peer picked, even when another line is idle', () => {
  open('idle/web')
  open('busy/web')
  expect(opened()).toEqual(['idle web', 'busy web'])
})

it('uses the least loaded process when the peer names no line, or a line that has ended or is full', () => {
  open('web')
  open('gone/web')
  tunnels.get('busy')!.canOpen = false
  open('busy/web')
  expect(opened()).toEqual(['idle web', 'idle web', 'idle web'])
})

it('never sends a copy of a request to another line than the picked one', () => {
  const copy = ['Plugboard-Mirror', '1']
  tunnels.get('busy')!.canOpen = false
  expect(() => open('busy/web', copy)).toThrow('overloaded')
  expect(() => open('gone/web', copy)).toThrow('unknown_service')
  open('idle/web', copy)
  expect(opened()).toEqual(['idle web'])
})

it('uses a line that is not confirmed alive only when the peer picked it', () => {
  tunnels.get('idle')!.reachable = false
  open('idle/web')
  open('web')
  expect(opened()).toEqual(['idle web', 'busy web'])
})

it('returns the error of the picked line to the peer, and does not try other lines', () => {
  tunnels.get('idle')!.refusal = new TunnelError('payload_too_large')
  expect(() => open('idle/web')).toThrow('payload_too_large')
  expect(opened()).toEqual([])
})

it('fails with unknown_service when the service has no line here, with or without a picked line', () => {
  expect(() => open('other')).toThrow('unknown_service')
  expect(() => open('gone/other')).toThrow('unknown_service')
})
