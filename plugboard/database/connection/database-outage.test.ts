import { VeraError } from '@vera-stack/shared/errors.ts'
import { describe, expect, it } from 'vitest'
import { StartupError } from '../../common/startup-error.ts'
import { translateError } from './database-error.ts'
import { describeOutage, explainOutage } from './database-outage.ts'

const PLACE = 'db.test:5432/plugboard'
const fromServer = (code: string, message: string) =>
  Object.assign(new Error(message), { code, severity: 'FATAL' })
const fromSystem = (code: string, message: string) => Object.assign(new Error(message), { code })
const outage = (error: Error) => describeOutage(translateError(error), PLACE)

describe('the description of an outage', () => {
  it.each([
    [fromServer('28P01', 'password authentication failed for user "u"'), /password in the database URL/],
    [fromServer('28000', 'no pg_hba.conf entry for host "10.0.0.1"'), /pg_hba\.conf\.$/],
    [fromServer('3D000', 'database "x" does not exist'), /Create the database/],
    [fromServer('42501', 'permission denied for database "x"'), /Grant the user/],
    [new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), /Add the password/],
    [new Error('SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match'), /Correct the password/],
    [new Error('The server does not support SSL connections'), /remove sslmode/],
    [fromSystem('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), /sslrootcert/],
  ])('is permanent and has the reason and a remedy: %s', (error, remedy) => {
    const { text, permanent, code } = outage(error)
    expect(permanent).toBe(true)
    expect(text).toContain(PLACE)
    expect(text).toContain(error.message)
    expect(text).toMatch(remedy)
    expect(code).toBe('code' in error ? error.code : undefined)
  })

  it.each([
    [fromServer('57P03', 'the database system is starting up'), 'reports'],
    [fromServer('53300', 'sorry, too many clients already'), 'reports'],
    [fromSystem('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432'), 'cannot be reached'],
    [fromSystem('ENOENT', 'connect ENOENT /run/.s.PGSQL.5432'), 'cannot be reached'],
    [fromSystem('EAI_AGAIN', 'getaddrinfo EAI_AGAIN db.test'), 'cannot be reached'],
    [new Error('timeout expired'), 'cannot be reached'],
  ])('is temporary: %s', (error, verb) => {
    expect(outage(error)).toMatchObject({
      permanent: false,
      text: `The database ${PLACE} ${verb}: ${error.message}.`,
    })
  })

  it('is the message of a StartupError, and is permanent', () => {
    const text = 'The schema lacks 2 migrations.'
    expect(describeOutage(new StartupError(text), PLACE)).toMatchObject({ permanent: true, text })
  })
})

it('commands that use the database get the reason as a StartupError', async () => {
  const cause = fromServer('3D000', 'database "x" does not exist')
  const work = explainOutage('postgres://u@db.test:5432/plugboard', () =>
    Promise.reject(translateError(cause)),
  )
  await expect(work).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringContaining('db.test:5432/plugboard reports: database "x" does not exist.'),
  })
  const other = new VeraError('not_found')
  await expect(explainOutage('postgres://u@db.test/x', () => Promise.reject(other))).rejects.toBe(other)
})
