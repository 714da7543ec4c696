// Checks that every row of plugboard/proxy/EDGE.md, and every code in it, has a test with its name here.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EDGE_ROWS } from './rows/edge-rows.ts'

const EDGE = readFileSync(join(import.meta.dirname, '../../../plugboard/proxy/EDGE.md'), 'utf8')
const SOURCES = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts') && name !== 'coverage.ts')
  .map(name => readFileSync(join(import.meta.dirname, name), 'utf8'))
  .join('\n')

const rows = [...EDGE.matchAll(/^\| ([FHRUSPA]\d+) \|/gm)].map(match => match[1]!)
const codes = [
  ...EDGE.slice(EDGE.indexOf('these are the ones of forwarding')).matchAll(/`([a-z_]+)`[,.]/g),
].map(match => match[1]!)

/** Rows, or letters of rows, that have no entry in the table of rows/, with the reason. */
const WITHOUT_ENTRY: Readonly<Record<string, string>> = {
  R2: 'The backend breaks off when the client has received a part of the body.',
  R3: 'The client sends further bytes when it has received the response.',
  R8: 'The Telephone refuses invalid HTTP of a backend, Plugboard refuses an invalid response of a Telephone.',
  R9: 'The backend sends each piece when the client has received the one before.',
  R11: 'The client closes its connection when the backend has received the request.',
  R12: 'The client or the backend stops reading.',
  U3: 'The backend sends its 101 when bytes of the client wait.',
  U4: 'Both sides send bytes in turn.',
  U5: 'Time passes.',
  S: 'Time passes.',
  P: 'HTTP/2 has frames of several streams, and no text.',
  A: 'The rules need issuers of tokens and clocks.',
}

describe('rows', () => {
  it('have no gap and are in order', () => {
    const counts = [...'FHRUSPA'].map(letter => rows.filter(row => row.startsWith(letter)).length)
    expect(counts).toEqual([17, 15, 13, 5, 9, 13, 14])
    expect(new Set(rows).size).toBe(rows.length)
  })

  it.each(rows)('row %s has a test', row => {
    expect(SOURCES).toMatch(new RegExp(`['"\`]${row} [^'"\`]`))
  })

  it.each(rows)('row %s is in the table that both sides run, or has a reason', row => {
    const entries = EDGE_ROWS.filter(({ name, only }) => name.startsWith(`${row} `) && only === undefined)
    const reason = WITHOUT_ENTRY[row] ?? WITHOUT_ENTRY[row[0]!]
    expect(entries.length > 0, reason ?? `no entry for ${row}`).toBe(reason === undefined)
  })

  it('each entry of the table has a unique name', () => {
    const names = EDGE_ROWS.map(({ name, only }) => `${name}, ${only?.side}`)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it.each(codes)('code %s has a test', code => {
    // A test for several codes has their names in its table.
    expect(SOURCES).toMatch(new RegExp(`['"\`]${code}(?:['"\`]|: )`))
  })
})
