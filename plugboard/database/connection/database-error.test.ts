import dns from 'node:dns'
import { getSystemErrorMap } from 'node:util'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { describe, expect, it } from 'vitest'
import { translateError } from './database-error.ts'

const failed = (code: string) => Object.assign(new Error('x'), { code })
const codes = [
  ...[...getSystemErrorMap().values()].map(([code]) => code),
  dns.NODATA,
  dns.NOTFOUND,
  dns.SERVFAIL,
  dns.TIMEOUT,
  dns.REFUSED,
  'EAI_AGAIN',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_HAS_EXPIRED',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]

describe('errors of the connection', () => {
  it('are database_unavailable for each error code of sockets, DNS and TLS', () => {
    for (const code of codes) {
      const error = failed(code)
      expect(translateError(error), code).toMatchObject({ code: 'database_unavailable', cause: error })
    }
    expect(codes.length).toBeGreaterThan(80)
  })

  it('are found inside of an error for several addresses', () => {
    const error = new AggregateError([failed('ENETUNREACH'), failed('EAI_AGAIN')])
    expect(translateError(error)).toBeInstanceOf(VeraError)
  })

  it('are not faults of our own code', () => {
    for (const code of ['ERR_INVALID_ARG_TYPE', 'ERR_ASSERTION', 'E', '']) {
      const error = failed(code)
      expect(translateError(error), code).toBe(error)
    }
  })
})
