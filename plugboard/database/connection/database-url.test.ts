import { expect, it } from 'vitest'
import { checkDatabaseUrl, databasePlace } from './database-url.ts'

it.each([
  ['postgres://user:secret@db.test:5433/plugboard?sslmode=require', 'db.test:5433/plugboard'],
  ['postgres://db.test/plugboard', 'db.test/plugboard'],
  ['postgres://user:secret@/plugboard?host=/run/postgresql', 'plugboard in /run/postgresql'],
])('the place of %s has neither user nor password', (url, place) => {
  expect(databasePlace(url)).toBe(place)
})

it.each([
  ['postgres://u@db.test/x?sslmode=verify-full&sslrootcert=/no/such/file', /no such file .*\/no\/such\/file/],
  ['postgres://u@db.test/x?port=abc', /port is not a number/],
  ['postgres://u@db.test/x?port=70000', /port is not a number/],
])('%s cannot be used, with the reason', (url, reason) => {
  expect(() => checkDatabaseUrl(url)).toThrow(reason)
  expect(() => checkDatabaseUrl(url)).toThrow(/^The URL of the database db\.test\/x cannot be used: /)
})

it.each(['postgres://u:secret@db.test:5433/x', 'postgres://u:p@/x?host=/run/postgresql'])(
  'accepts %s',
  url => {
    expect(() => checkDatabaseUrl(url)).not.toThrow()
  },
)
