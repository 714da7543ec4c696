// Tests the texts for times, and the width of tables.

import { expect, it } from 'vitest'
import { type Column, Output, relative } from './output.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const at = (ms: number): string => relative(new Date(NOW + ms).toISOString(), NOW)

it('shows the full lifetime directly after its start', () => {
  expect([30 * 86_400_000 - 400, 86_400_000 - 400, 3_600_000 - 400, 60_000 - 400].map(at)).toEqual([
    'in 30d',
    'in 1d',
    'in 1h',
    'in 1m',
  ])
})

it('shows other times in whole units, rounded down', () => {
  expect([29.9 * 86_400_000, 90_000, 5000, -400, -59_900, -3_599_600, -90_000_000].map(at)).toEqual([
    'in 29d',
    'in 1m',
    'in 5s',
    '0s ago',
    '59s ago',
    '59m ago',
    '1d ago',
  ])
})

it('shows an absent time as a dash', () => {
  expect(relative(null, NOW)).toBe('-')
})

interface Row {
  readonly mount: string
  readonly options: string
  readonly id: string
}
const COLUMNS: readonly Column<Row>[] = [
  { title: 'mount', value: row => row.mount, canCut: true },
  { title: 'options', value: row => row.options, canCut: true },
  { title: 'id', value: row => row.id },
]
const ROWS: readonly Row[] = [
  { mount: 'app.localhost', options: `aliases=${'x'.repeat(100)}`, id: 'i'.repeat(36) },
  { mount: 'shop.localhost/api', options: 'stripMount=true', id: 'j'.repeat(36) },
]

async function table(columns: number | undefined, format: 'table' | 'json' = 'table'): Promise<string> {
  let text = ''
  const out = (part: string) => {
    text += part
  }
  const output = new Output({ out, err: out, colours: false, columns }, format)
  await output.rows(ROWS, COLUMNS, 'No rows.')
  return text
}

it('cuts only the longest texts of a table, so that the table fits on a terminal', async () => {
  const [title, first, second] = (await table(100)).trimEnd().split('\n')
  expect(first).toHaveLength(100)
  expect(first).toMatch(/^app\.localhost +aliases=x+… +i{36}$/)
  expect(second).toMatch(/^shop\.localhost\/api +stripMount=true +j{36}$/)
  expect(title).toMatch(/^MOUNT +OPTIONS +ID$/)
})

it('keeps ten characters of each text and the whole id on a narrow terminal', async () => {
  const lines = (await table(40)).trimEnd().split('\n')
  expect(lines[1]).toBe(`app.local…  aliases=x…  ${'i'.repeat(36)}`)
})

it('cuts no text in a pipe or in JSON', async () => {
  expect(await table(undefined)).toContain('x'.repeat(100))
  expect(await table(40, 'json')).toContain('x'.repeat(100))
})
