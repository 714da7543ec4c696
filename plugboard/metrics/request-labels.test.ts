import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { expect, it } from 'vitest'
import { labelsOfKey, requestKey } from './request-labels.ts'

const labels = (...args: Parameters<typeof requestKey>) => labelsOfKey(requestKey(...args))

it('returns the labels of each method, status, scheme and code', () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PATCH', 'QUERY']) {
    for (const scheme of ['http', 'https']) {
      for (const code of [undefined, ...(Object.keys(ERRORS) as ErrorCode[])]) {
        expect(labels(method, 503, scheme, code)).toEqual([method, '503', scheme, code ?? ''])
      }
    }
  }
})

it('bounds methods, statuses and schemes that come from outside', () => {
  expect(labels('get', 200, 'http', undefined)[0]).toBe('_OTHER')
  expect(labels('BREW', 200, 'http', undefined)[0]).toBe('_OTHER')
  expect(labels('', 400, 'http', 'bad_request')[0]).toBe('_OTHER')
  expect(labels('GET', 200, 'gopher', undefined)[2]).toBe('http')
  const statuses = new Set<string>()
  for (let status = 100; status < 1000; status += 1) statuses.add(labels('GET', status, 'http', undefined)[1])
  expect(statuses.size).toBeLessThan(80)
  expect([418, 499, 299, 777].map(status => labels('GET', status, 'http', undefined)[1])).toEqual([
    '418',
    '499',
    '200',
    '500',
  ])
})
