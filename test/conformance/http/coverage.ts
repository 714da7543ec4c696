// Every row of plugboard/proxy/EDGE.md, and every code that it lists, has a test of its name here.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const EDGE = readFileSync(join(import.meta.dirname, '../../../plugboard/proxy/EDGE.md'), 'utf8')
const SOURCES = readdirSync(import.meta.dirname)
  .filter(name => name.endsWith('.ts') && name !== 'coverage.ts')
  .map(name => readFileSync(join(import.meta.dirname, name), 'utf8'))
  .join('\n')

const rows = [...EDGE.matchAll(/^\| ([FHRUSPA]\d+) \|/gm)].map(match => match[1]!)
const codes = [
  ...EDGE.slice(EDGE.indexOf('these are the ones of forwarding')).matchAll(/`([a-z_]+)`[,.]/g),
].map(match => match[1]!)

describe('rows', () => {
  it('are all there, in order', () => {
    const counts = [...'FHRUSPA'].map(letter => rows.filter(row => row.startsWith(letter)).length)
    expect(counts).toEqual([17, 14, 12, 5, 6, 13, 13])
    expect(new Set(rows).size).toBe(rows.length)
  })

  it.each(rows)('row %s has a test', row => {
    expect(SOURCES).toMatch(new RegExp(`['"\`]${row} [^'"\`]`))
  })

  it.each(codes)('code %s has a test', code => {
    // A test that is run for several codes has their names in its table.
    expect(SOURCES).toMatch(new RegExp(`['"\`]${code}(?:['"\`]|: )`))
  })
})
