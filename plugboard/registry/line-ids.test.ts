import { expect, it } from 'vitest'
import { asReplicaId } from '../common/ids/replica-id.ts'
import { asTunnelId, type LineId, lineId, parseStreamTarget, type TunnelId } from './line-ids.ts'

it('the name of a stream between replicas is a service or the id of a line', () => {
  expect(parseStreamTarget('web')).toEqual({ kind: 'service', service: 'web' })
  expect(parseStreamTarget(lineId(asTunnelId('t1'), 'web'))).toEqual({
    ...{ kind: 'line', tunnelId: 't1', service: 'web' },
  })
  expect(parseStreamTarget('t1/')).toEqual({ kind: 'line', tunnelId: 't1', service: '' })
})

it('the compiler rejects an id of another kind, and a string that no parser has read', () => {
  const tunnel: TunnelId = asTunnelId('t1')
  // @ts-expect-error A tunnel is not a line.
  const line: LineId = tunnel
  // @ts-expect-error A replica is not a tunnel.
  const other: TunnelId = asReplicaId('t1')
  // @ts-expect-error A string may be any text.
  const text: TunnelId = 't1'
  // An id is its text at run time.
  expect([line, other, text]).toEqual(['t1', 't1', 't1'])
})
