import { expect, it } from 'vitest'
import { originProblem } from './value-problems.ts'

it.each([
  'https://app.example.com',
  'http://localhost:3000',
  'http://[::1]:8080',
  'https://xn--bcher-kva.test',
])('accepts the origin %s', origin => {
  expect(originProblem(origin)).toBeUndefined()
})

it.each([
  ['https://App.example.com', 'write https://app.example.com'],
  ['https://app.example.com:443', 'write https://app.example.com'],
  ['https://app.example.com/', 'write https://app.example.com'],
  ['https://app.example.com/page?q', 'write https://app.example.com'],
  ['https://user@app.example.com', 'write https://app.example.com'],
  ['https://bücher.test', 'write https://xn--bcher-kva.test'],
  ['app.example.com', 'is not an origin'],
  ['null', 'is not an origin'],
  ['*', 'is not an origin'],
  ['https://*.example.com', 'is not an origin'],
  ['file:///page.html', 'is not an origin'],
])('refuses %s: %s', (origin, problem) => {
  expect(originProblem(origin)).toContain(problem)
})
