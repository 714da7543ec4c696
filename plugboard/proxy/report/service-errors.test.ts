import { expect, it } from 'vitest'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { ServiceErrors } from './service-errors.ts'

const error = { code: 'backend_closed', atMs: 1, requestId: 'r', telephone: 'laptop' } as const

it('keeps the last error of a service, with redacted secrets in the text of a Telephone', () => {
  const errors = new ServiceErrors()
  errors.note(asServiceId('s'), { ...error, message: 'first' })
  errors.note(asServiceId('s'), { ...error, message: 'Authorization: Bearer abcdefghijk12345 refused' })
  expect(errors.lastOf(asServiceId('s'))).toEqual({ ...error, message: 'Authorization: Bearer *** refused' })
})

it('keeps no errors that clients cause, and no errors of routes without a service', () => {
  const errors = new ServiceErrors()
  errors.note(asServiceId('s'), { ...error, code: 'bad_request', message: '' })
  errors.note(asServiceId(''), { ...error, message: '' })
  expect(errors.newest(10)).toEqual([])
})

it('drops the service whose error is oldest when there are too many', () => {
  const errors = new ServiceErrors()
  for (let index = 0; index <= 1000; index += 1)
    errors.note(asServiceId(`s${index}`), { ...error, message: '' })
  expect([errors.lastOf(asServiceId('s0')), errors.newest(2000).length]).toEqual([undefined, 1000])
})
