// Tests that each failure of a dial is classified as temporary or permanent. `telephone http` and `connect()` end after a
// permanent failure, so a temporary failure must not count as permanent.

import { describe, expect, it } from 'vitest'
import { DialError, dialFailure } from './dial-error.ts'

const system = (code: string, message = code): DialError =>
  dialFailure(Object.assign(new Error(message), { code }))
const refused = (status: number): DialError => new DialError('refused', 'x', { status })

describe('a failure to reach a Plugboard', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'EMFILE',
    'HPE_INVALID_EOF_STATE',
    'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
    'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
    'EPROTO',
  ])('is temporary: %s', code => {
    expect(system(code).permanent).toBe(false)
  })

  it.each([
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'HPE_INVALID_CONSTANT',
  ])('is permanent: %s', code => {
    expect(system(code).permanent).toBe(true)
  })

  it('is permanent when the server does not use TLS, with any code', () => {
    for (const code of ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']) {
      const error = system(code, 'write EPROTO 00:error:0A00010B:SSL routines::wrong version number')
      expect([error.permanent, error.message]).toEqual([true, expect.stringContaining('http:// instead')])
    }
  })

  it.each([408, 425, 429, 500, 502, 503, 504])('is temporary: status %i', status => {
    expect(refused(status).permanent).toBe(false)
  })

  it.each([200, 301, 400, 401, 403, 404, 426])('is permanent: status %i', status => {
    expect(refused(status).permanent).toBe(true)
  })
})
