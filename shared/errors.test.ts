import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode, type ErrorRow, errorOfReason, VeraError } from './errors.ts'
import { REASONS, type Reason } from './protocol/wire/reason.ts'

describe('the table', () => {
  it.each(Object.entries<ErrorRow>(ERRORS))('%s is valid', (code, { status, source, retry, meaning }) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(status).toSatisfy((value: number) => value >= 400 && value < 600)
    // A fault of the client has a status of the 4xx class, and every other fault one of the 5xx class.
    expect(source === 'client').toBe(status < 500)
    // One sentence that fits into a cell of a Markdown table.
    expect(meaning).toMatch(/^[A-Z][^|\n]*\.$/)
    // A retry cannot correct a fault of the client, except a rate or a number of requests that was too high.
    if (source === 'client' && status !== 429) expect(retry).toBe('never')
  })

  it('a request that may always be sent again has the status 429, 502 or 503', () => {
    const codes = Object.entries<ErrorRow>(ERRORS).filter(([, { retry }]) => retry === 'always')
    expect(new Set(codes.map(([, { status }]) => status))).toEqual(new Set([429, 502, 503]))
  })
})

describe('an error', () => {
  it('has the status and the meaning of its code', () => {
    const error = new VeraError('mount_conflict')
    expect(error).toMatchObject({ name: 'VeraError', code: 'mount_conflict', status: 409, field: undefined })
    expect(error.message).toBe(ERRORS.mount_conflict.meaning)
    expect('cause' in error).toBe(false)
  })

  it('has a detail, a field and a cause of its own', () => {
    const cause = new Error('below')
    const error = new VeraError('invalid_request', 'No host.', { field: 'mount', cause })
    expect(error).toMatchObject({ message: 'No host.', field: 'mount', cause, status: 400 })
  })
})

describe('the error that a client gets for a reason of the protocol', () => {
  const reasons = Object.keys(REASONS) as Reason[]

  it.each(reasons)('%s has a code of the error table', reason => {
    expect(ERRORS[errorOfReason(reason)].status).toBeGreaterThanOrEqual(413)
  })

  it.each<[Reason, ErrorCode]>([
    ['backend_timeout', 'backend_timeout'],
    ['backend_closed', 'backend_closed'],
    ['request_unsendable', 'internal_error'],
    ['idle_timeout', 'backend_timeout'],
    ['client_share', 'concurrency_limited'],
    ['unknown_service', 'no_telephone'],
    ['session_lost', 'telephone_lost'],
    ['replaced', 'telephone_lost'],
    ['payload_too_large', 'payload_too_large'],
  ])('%s is %s', (reason, code) => {
    expect(errorOfReason(reason)).toBe(code)
  })
})
