import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StreamTable } from './stream-table.ts'

interface Entry {
  readonly id: number
  readonly name: string
}

const command = fc.record({
  // Few ids of both parities, near each other and a table apart: collisions, wrapping, gaps.
  id: fc.oneof(
    fc.nat(40),
    fc.nat(40).map(id => id + 32),
    fc.nat(8).map(id => 0x7fff_fff0 + id),
  ),
  remove: fc.boolean(),
})

describe('the table of streams', () => {
  test('has the same content as a Map after any sequence of changes', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300 }), commands => {
        const table = new StreamTable<Entry>()
        const model = new Map<number, Entry>()
        commands.forEach(({ id, remove }, turn) => {
          if (remove) {
            expect(table.delete(id)).toBe(model.delete(id))
          } else {
            const entry = { id, name: `entry ${turn}` }
            table.add(entry)
            model.set(id, entry)
          }
          expect(table.size).toBe(model.size)
          expect(table.get(id)).toBe(model.get(id))
        })
        for (let id = 0; id < 100; id += 1) expect(table.get(id)).toBe(model.get(id))
        expect(new Set(table.all())).toEqual(new Set(model.values()))
      }),
    )
  })

  test('keeps long-lived streams while thousands of short ones pass', () => {
    const table = new StreamTable<Entry>()
    const old = Array.from({ length: 20 }, (_, index) => ({ id: 1 + index * 2, name: 'old' }))
    for (const stream of old) table.add(stream)
    for (let id = 41; id < 20_000; id += 2) {
      table.add({ id, name: 'short' })
      if (id > 61) expect(table.delete(id - 20)).toBe(true)
    }
    for (const stream of old) expect(table.get(stream.id)).toBe(stream)
  })
})
