import { expect, it } from 'vitest'
import { otlpEndpointProblem, otlpUrl } from './otlp-endpoint.ts'

it('accepts a base URL, with or without a path', () => {
  for (const url of ['http://127.0.0.1:4318', 'https://otlp.example.com/otlp/', 'http://[::1]:4318/v1'])
    expect(otlpEndpointProblem(new URL(url))).toBeUndefined()
})

it('refuses credentials, a query and the path of a signal, and never quotes the URL', () => {
  const problem = (url: string): string | undefined => otlpEndpointProblem(new URL(url))
  expect(problem('http://user:hunter2@collector/')).toMatch(/^contains a user name or a password/)
  expect(problem('http://hunter2@collector/')).not.toContain('hunter2')
  expect(problem('http://collector/?key=hunter2')).toBe('contains a query or a fragment: remove it')
  expect(problem('http://collector/x/v1/metrics/')).toMatch(/^ends in \/v1\/metrics\//)
})

it('appends the path of a signal', () => {
  expect(otlpUrl('http://127.0.0.1:4318', 'metrics').href).toBe('http://127.0.0.1:4318/v1/metrics')
  expect(otlpUrl('https://a.example/otlp/', 'traces').href).toBe('https://a.example/otlp/v1/traces')
})
