import { describe, expect, test } from 'vitest'
import type { ExchangeBody } from '../../../admin/api-types.ts'
import { draftOf, lacksBody, replayEdits } from './replay-edits.ts'

const MASKED = '***3f9c1a'
const body = (text: string | null, isCut = false) => ({ bytes: 9, text, isCut, omitted: null })
const exchange = (received: Partial<ExchangeBody['received']> = {}): Pick<ExchangeBody, 'received'> => ({
  received: {
    method: 'POST',
    target: `/orders?token=${MASKED}`,
    fields: [
      ['Host', 'shop.test'],
      ['Accept', 'text/html'],
      ['Accept', 'text/plain'],
      ['Authorization', `Bearer ${MASKED}`],
      ['Content-Length', '9'],
    ],
    body: body('{"a":1}'),
    trailers: null,
    ...received,
  },
})
const edited = (change: Partial<ReturnType<typeof draftOf>>, of = exchange()) =>
  replayEdits(of, { ...draftOf(of), ...change })

describe('the edits of a replay', () => {
  test('are empty for an unchanged draft', () => {
    expect(edited({})).toEqual({ kind: 'valid', edits: {} })
    expect(draftOf(exchange()).fields).toBe(
      `Accept: text/html\nAccept: text/plain\nAuthorization: Bearer ${MASKED}`,
    )
  })

  test('do not offer the fields that a replay leaves out', () => {
    const fields = ['plugboard-replay', 'X-Request-ID', 'traceparent', 'Content-Encoding', 'X-Note'] as const
    expect(draftOf(exchange({ fields: fields.map(name => [name, 'x']) })).fields).toBe('X-Note: x')
  })

  test('have the parts that changed, and null for a removed field and a removed body', () => {
    const change = {
      method: 'PUT',
      target: '/orders',
      fields: 'Authorization: Bearer given\nx-note:a:b\n\n',
      body: '',
      telephone: 'canary-1',
    }
    expect(edited(change)).toEqual({
      kind: 'valid',
      edits: {
        method: 'PUT',
        target: '/orders',
        fields: { Authorization: 'Bearer given', 'x-note': 'a:b', Accept: null },
        body: null,
        telephone: 'canary-1',
      },
    })
  })

  test('never have a masked value', () => {
    for (const change of [
      { target: `/other?token=${MASKED}` },
      { fields: `Authorization: Basic ${MASKED}` },
      { body: `{"a":2,"key":"${MASKED}"}` },
    ])
      expect(edited(change)).toMatchObject({ kind: 'invalid' })
  })

  test('name a line that is not a field, and a changed field that occurs twice', () => {
    expect(edited({ fields: 'nonsense' })).toMatchObject({
      problem: expect.stringContaining('not a field: "nonsense"'),
    })
    expect(edited({ fields: 'Accept: a\naccept: b' })).toMatchObject({
      problem: expect.stringContaining('accept occurs more than once'),
    })
  })

  test('send no body when the exchange lacks a part of it, unless a person wrote one', () => {
    for (const part of [body(null, true), body('{"a":', true)]) {
      const of = exchange({ body: part })
      expect([lacksBody(of.received), draftOf(of).body]).toEqual([true, ''])
      expect(edited({}, of)).toMatchObject({ edits: { body: null } })
      expect(edited({ body: 'x' }, of)).toMatchObject({ edits: { body: 'x' } })
    }
  })
})
