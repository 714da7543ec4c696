import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { expect, it } from 'vitest'
import { targetLoopProblem } from './target-loop.ts'

it.each([
  ['4000', 'http://localhost:4000'],
  ['4000', 'http://127.0.0.1:4000'],
  ['https://127.0.0.1:4000', 'http://localhost:4000'],
  ['[::1]:4000', 'ws://app.localhost:4000'],
  ['http://192.0.2.7:80', 'http://192.0.2.7'],
  ['h2://Proxy.example.com.', 'https://proxy.example.com/_plugboard/tunnel'],
])('rejects the target %s of the Plugboard %s', (target, plugboard) => {
  const problem = targetLoopProblem(parseTarget(target), ['https://other.example.com', plugboard])
  expect(problem).toMatch(
    /^\S+ is the Plugboard https?:\/\/\S+ itself, .*; name the address of your web server$/,
  )
})

it.each([
  ['3000', 'http://localhost:4000'],
  ['4000', 'http://192.0.2.7:4000'],
  ['127.0.0.1:4000', 'http://[::1]:4000'],
  ['http://proxy.example.com', 'https://proxy.example.com'],
  ['unix:/run/app.sock', 'http://localhost'],
])('accepts the target %s beside the Plugboard %s', (target, plugboard) => {
  expect(targetLoopProblem(parseTarget(target), [plugboard])).toBeUndefined()
})

it('accepts a function in this process', () => {
  expect(targetLoopProblem(() => new Response(), ['http://localhost:4000'])).toBeUndefined()
})
