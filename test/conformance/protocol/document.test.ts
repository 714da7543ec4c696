// Compares the tables of PROTOCOL.md with the code. Checks that each requirement has a test whose name begins with its id.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import { heldLimits } from '../../../plugboard/telephones/held-budgets.ts'
import { TELEPHONE_MAX_STREAMS } from '../../../plugboard/telephones/switchboard.ts'
import type { ControlMessage } from '../../../shared/protocol/control/control.ts'
import { controlSchema } from '../../../shared/protocol/control/control-schema.ts'
import { DEFAULT_LIMITS, MESSAGE_MAX_BYTES } from '../../../shared/protocol/limits.ts'
import {
  BACKEND_TIME_BYTES,
  CREDIT_MAX_BYTES,
  DATA_SLICE_BYTES,
  DETAIL_MAX_BYTES,
  FRAME,
  HEAD_PREFIX_BYTES,
  OPEN_PREFIX_BYTES,
} from '../../../shared/protocol/wire/frame.ts'
import { REASONS } from '../../../shared/protocol/wire/reason.ts'
import { STREAM_KINDS } from '../../../shared/protocol/wire/stream-kind.ts'
import { PROTOCOL_VERSIONS, SUBPROTOCOL } from '../../../shared/protocol/wire/version.ts'
import { FRAME_TABLE } from '../../support/protocol/twin-codec.ts'

const PROTOCOL_FOLDER = join(import.meta.dirname, '../../../shared/protocol')
const text = readFileSync(join(PROTOCOL_FOLDER, 'PROTOCOL.md'), 'utf8')

/** Returns the rows of the table with these first header cells. Cells have no padding and no backticks. */
function table(...headers: string[]): string[][] {
  const lines = text.split('\n').map(cells)
  const start = lines.findIndex(
    row => row !== undefined && headers.every((header, index) => row[index] === header),
  )
  expect(start, `a table with ${headers.join(', ')}`).toBeGreaterThan(-1)
  const rows = lines.slice(start + 2)
  return rows.slice(0, rows.indexOf(undefined)) as string[][]
}

function cells(line: string): string[] | undefined {
  if (!line.startsWith('|')) return undefined
  return line
    .slice(1, -1)
    .split('|')
    .map(cell => cell.trim().replaceAll('`', ''))
}

describe('requirements', () => {
  it('are numbered without a gap, and each has a test with its id', () => {
    const ids = [...text.matchAll(/^- \*\*(P\d+)\*\*/gm)].map(([, id]) => id!)
    expect(ids).toEqual(ids.map((_, index) => `P${index + 1}`))
    // The messages of share and observe streams are tested beside their code.
    const rooms = ['limits/sharing', 'observe/stream']
    const folders = [
      import.meta.dirname,
      ...rooms.map(room => join(import.meta.dirname, '../../../plugboard', room)),
    ]
    const tests = folders
      .flatMap(folder => readdirSync(folder).map(name => join(folder, name)))
      .filter(file => file.endsWith('.test.ts'))
      .map(file => readFileSync(file, 'utf8'))
      .join('\n')
    const tested = new Set([...tests.matchAll(/\bit(?:\.each\(.*\))?\(\s*['"`](P\d+) /g)].map(([, id]) => id))
    expect([...tested].sort()).toEqual([...ids].sort())
  })
})

describe('tables', () => {
  it('frames', () => {
    const rows = table('type', 'name', 'stream', 'payload', 'flags')
    const numbers = Object.fromEntries(
      rows.map(([type, name]) => [name!.toLowerCase(), Number.parseInt(type!, 16)]),
    )
    expect(numbers).toEqual(FRAME)
    const twin = Object.entries(FRAME_TABLE).map(([name, row]) => [name.toLowerCase(), row.number])
    expect(Object.fromEntries(twin)).toEqual(FRAME)
    const ofSession = rows.filter(([, , stream]) => stream === '0').map(([, name]) => name)
    expect(ofSession).toEqual(['PING', 'PONG', 'CONTROL', 'BYE'])
    const withEnd = rows
      .filter(([, , , , flags]) => flags?.split(', ').includes('END'))
      .map(([, name]) => name)
    expect(withEnd).toEqual(['DATA', 'OPEN', 'HEAD'])
    expect(rows.filter(([, , , , flags]) => flags?.includes('TIMING')).map(([, name]) => name)).toEqual([
      'HEAD',
    ])
    // u8 + u8 + u24, u16 + u24, and u32.
    expect([OPEN_PREFIX_BYTES, HEAD_PREFIX_BYTES, BACKEND_TIME_BYTES]).toEqual([5, 5, 4])
    expect(rows.find(([, name]) => name === 'RESET')?.[3]).toContain(`0 … ${DETAIL_MAX_BYTES} bytes`)
  })

  it('kinds', () => {
    const rows = table('kind', 'name', 'what it is')
    const [reserved, kinds] = [true, false].map(wanted =>
      Object.fromEntries(
        rows
          .filter(([, , meaning]) => (meaning === 'reserved') === wanted)
          .map(([kind, name]) => [name, Number(kind)]),
      ),
    )
    expect(kinds).toEqual(STREAM_KINDS)
    expect(reserved).toEqual({ tcp: 3, call: 4 })
  })

  it('control messages', () => {
    const types = table('type', 'from', 'content').flatMap(([type]) => type!.split(', '))
    expect(types.sort()).toEqual(controlSchema.options.map(option => option.shape.type.value).sort())
    const hello = table('type', 'from', 'content').find(([type]) => type === 'hello')![2]!
    const keys = hello.split(', ').map(key => key.split(' ')[0])
    const schema = controlSchema.options.find(option => option.shape.type.value === 'hello')!
    const expected = Object.keys(schema.shape).filter(key => key !== 'type')
    expect(keys.filter(key => !key!.endsWith(']')).sort()).toEqual(expected.sort())
  })

  it('the types of control messages agree with their schemas', () => {
    expectTypeOf<z.output<typeof controlSchema>>().toEqualTypeOf<ControlMessage>()
  })

  it('reasons', () => {
    const rows = table('code', 'name', 'delivered').map(([code, nameAndMeaning, delivered]) => {
      const [name, meaning] = nameAndMeaning!.split(': ')
      return [name, { code: Number(code), delivered, meaning }]
    })
    expect(Object.fromEntries(rows)).toEqual(REASONS)
  })

  it('limits', () => {
    const KIB = 1024
    const limits = Object.fromEntries(table('', 'default', 'set by').map(row => [row[0], row[1]]))
    const { pingTimeoutMs, pingIntervalMs, helloTimeoutMs, sendHardLimitBytes } = DEFAULT_LIMITS
    expect(limits).toEqual({
      'streams opened by the peer': DEFAULT_LIMITS.maxStreams.toLocaleString('en'),
      '… by a telephone': String(TELEPHONE_MAX_STREAMS),
      'frame payload': `${DEFAULT_LIMITS.maxFrameBytes / KIB} KiB`,
      'window of a new stream': `${DEFAULT_LIMITS.initialWindowBytes / KIB} KiB`,
      message: `${MESSAGE_MAX_BYTES / KIB / KIB} MiB`,
      'time to hello': `${helloTimeoutMs / 1000} s`,
      silence: `${pingTimeoutMs / 1000} s, checked every ${pingIntervalMs / 1000} s`,
      'unsent bytes': `${sendHardLimitBytes / KIB / KIB} MiB`,
      'bytes held': `${heldLimits(2 ** 40).tunnelBytes / KIB / KIB} MiB a tunnel`,
    })
    expect(DEFAULT_LIMITS.lastStreamId).toBe(2 ** 32 - 16)
    expect(CREDIT_MAX_BYTES).toBe(2 ** 31 - 1)
    expect(DATA_SLICE_BYTES).toBe(64 * KIB)
  })

  it('the numbers in its sentences', () => {
    const { helloTimeoutMs, pingTimeoutMs, pingIntervalMs, sendHardLimitBytes } = DEFAULT_LIMITS
    const { maxWindowBytes, windowGrowthBytes } = DEFAULT_LIMITS
    const flat = text.replaceAll(/\s+/g, ' ')
    for (const sentence of [
      `or no hello within ${helloTimeoutMs / 1000} s`,
      `(${pingTimeoutMs / 1000} s, and at most one ping interval of ${pingIntervalMs / 1000} s more)`,
      `(more than ${sendHardLimitBytes / 2 ** 20} MiB unsent)`,
      `a limit for the stream (${maxWindowBytes / 2 ** 20} MiB)`,
      `for all streams of the session (${windowGrowthBytes / 2 ** 20} MiB)`,
      `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
    ]) {
      expect(flat).toContain(sentence)
    }
    expect(PROTOCOL_VERSIONS[1]).toBeGreaterThanOrEqual(PROTOCOL_VERSIONS[0])
  })
})
