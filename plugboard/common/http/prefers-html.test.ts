import { expect, it } from 'vitest'
import { prefersHtml } from './prefers-html.ts'

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
