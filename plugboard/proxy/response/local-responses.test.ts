import { expect, it } from 'vitest'
import { makeProblem, responseBytes } from './local-responses.ts'

it('returns a whole response as bytes, without a body for HEAD', () => {
  const problem = makeProblem('upgrade_required', { requestId: 'r1' })
  const [head = '', body] = responseBytes(problem).toString().split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1.1 426 Upgrade Required\r\n/)
  expect(head).toContain('\r\nConnection: close, Upgrade\r\n')
  expect(head).toContain(`\r\nContent-Length: ${body?.length}\r\n`)
  expect(JSON.parse(body ?? '')).toMatchObject({ status: 426, code: 'upgrade_required', requestId: 'r1' })
  expect(responseBytes(problem, 'HEAD').toString().endsWith('\r\n\r\n')).toBe(true)
})
