import { expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { MalformedError } from './malformed.ts'
import { packLine, SharedStrings, unpackLine } from './packed-line.ts'

const strings = new SharedStrings()

it.each([
  ['an ordinary line', {}],
  ['down', { health: 'down' }],
  ['no weight', { weight: 0 }],
  ['down, most weight, version', { health: 'down', weight: 1000, version: '1.2.3' }],
  ['labels', { labels: { zone: 'a', arch: 'arm64' } }],
  ['a generation', { generation: 'mfz3k1.AbC-_' }],
  ['a generation and all other fields', { health: 'down', weight: 7, generation: 'a.b', version: '2' }],
  ['a holder', { holder: 'AbC-_' }],
  ['a generation and a holder', { weight: 0, generation: 'mfz3k1.AbC-_', holder: 'x' }],
  ['an empty label', { labels: { '': '' } }],
  ['an empty label of a line that is up', { labels: { '': '1 x down' } }],
  [
    'an outage',
    { health: 'down', outage: { sinceMs: 1_764_470_467_005, cause: 'tls_expired', detail: 'a b\0c' } },
  ],
  ['a line with a health check', { healthCheck: true, labels: { a: 'b' } }],
  ['an outage without a cause', { health: 'down', outage: { sinceMs: 0, detail: '' }, labels: { a: 'b' } }],
  ['a label named like a property of objects', { labels: Object.fromEntries([['__proto__', 'x']]) }],
  [
    'separators in names',
    { telephone: 'a\0b\u0001c', version: '\u0001b\0a', labels: { '\0': '\u0001\u0001' } },
  ],
  ['names beyond ASCII', { telephone: 'Büro ☎ 📞' }],
] as const)('packs and unpacks %s', (_, more) => {
  const line = makeLine('r1', 'tunnel', 'service', more)
  expect(unpackLine(packLine(line), asReplicaId('r1'), strings)).toEqual(line)
})

it('packs an outage so that a replica of an older version still reads the line', () => {
  const outage = { sinceMs: 5, detail: '/healthz returned 500' }
  const packed = packLine(makeLine('r1', 't', 'web', { health: 'down', outage }))
  // An older version reads it as a label. It would reject a further field as malformed.
  expect(packed).toBe('t\0web\0device-t\0instance-t\0d\0\0\x005 - /healthz returned 500')
})

it('assigns the line to the replica that owns the document', () => {
  expect(unpackLine(packLine(makeLine('r1', 't', 'web')), asReplicaId('r2'), strings).replicaId).toBe('r2')
})

it('packs the same line to the same string, with its labels in any order', () => {
  const [left, right] = [
    { a: '1', b: '2' },
    { b: '2', a: '1' },
  ].map(labels => makeLine('r', 't', 's', { labels }))
  expect(packLine(left!)).toBe(packLine(right!))
})

it('packs a line to the same string before and after UTF-8', () => {
  const labels = { '\ud800': 'one', '\ud801': 'two' }
  const packed = packLine(makeLine('r', 't', 's', { telephone: 'half \udc00', labels }))
  expect(Buffer.from(packed).toString()).toBe(packed)
  expect(packLine(unpackLine(packed, asReplicaId('r'), strings))).toBe(packed)
})

it('has room for the longest line that an announcement allows', () => {
  const worst = '\u0001'
  const labels = Object.fromEntries(
    Array.from({ length: 64 }, (_, i) => [String(i).padStart(63, worst), worst.repeat(255)]),
  )
  const name = worst.repeat(255)
  const line = makeLine('r1', 't', name, { telephone: name, version: worst.repeat(128), labels })
  expect(unpackLine(packLine(line), asReplicaId('r1'), strings)).toEqual(line)
})

it.each([
  ['a number', 7],
  ['an empty string', ''],
  ['three fields', 't\0s\0telephone'],
  ['no tunnel', '\0s\0telephone\0instance'],
  ['no service', 't\0\0telephone\0instance'],
  ['a weight out of range', 't\0s\0telephone\0instance\x001001\0'],
  ['another state', 't\0s\0telephone\0instance\0x\0'],
  ['a label without a value', 't\0s\0telephone\0instance\0\0\0name'],
  ['too much', `t\0s\0telephone\0${'i'.repeat(70_000)}`],
])('refuses %s', (_, packed) => {
  expect(() => unpackLine(packed, asReplicaId('r1'), strings)).toThrow(MalformedError)
})
