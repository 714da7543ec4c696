import { expect, it } from 'vitest'
import { answerBytes, makeProblem, prefersHtml } from './answers.ts'

it.each([
  [undefined, false],
  ['*/*', false],
  ['text/html', true],
  ['application/json, text/html;q=0.9', false],
  ['text/html;q=0.9, application/problem+json;q=0.8', true],
  ['text/html;q=0', false],
])('Accept %s prefers HTML: %s', (accept, html) => {
  expect(prefersHtml(accept)).toBe(html)
})

it('is a whole answer as bytes, without a body for HEAD', () => {
  const problem = makeProblem('upgrade_required', { requestId: 'r1' })
  const [head = '', body] = answerBytes(problem).toString().split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1.1 426 Upgrade Required\r\n/)
  expect(head).toContain('\r\nConnection: close, Upgrade\r\n')
  expect(head).toContain(`\r\nContent-Length: ${body?.length}\r\n`)
  expect(JSON.parse(body ?? '')).toMatchObject({ status: 426, code: 'upgrade_required', requestId: 'r1' })
  expect(answerBytes(problem, 'HEAD').toString().endsWith('\r\n\r\n')).toBe(true)
})
