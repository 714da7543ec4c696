// The curl command of an exchange means one request, as it was sent, also when a client chose the texts to change the command.

import { expect, it } from 'vitest'
import type { CapturedExchange } from './captured-exchange.ts'
import { curlText } from './curl-text.ts'

function linesOf(method: string, target: string, fields: readonly [string, string][] = []): string[] {
  const exchange = {
    scheme: 'http',
    request: { host: 'a.test' },
    received: { method, target, fields: [['Host', 'a.test'], ...fields], body: null, trailers: null },
  } as unknown as CapturedExchange
  return curlText(exchange).trimEnd().split(' \\\n  ')
}

it.each(['/x[1-1000000]', '/x?ids[]=1', '/{a,b}'])('turns off patterns in the URL of %s', target => {
  expect(linesOf('GET', target)).toEqual([`curl 'http://a.test${target}'`, "--request 'GET'", '--globoff'])
})

it.each(['/a/../b', '/a/..', '/./a?q=1'])('keeps the dots of %s', target => {
  expect(linesOf('GET', target)).toContain('--path-as-is')
})

it('adds no option to a plain URL', () => {
  expect(linesOf('GET', '/a/..b/c.d?e=./f')).toEqual([
    "curl 'http://a.test/a/..b/c.d?e=./f'",
    "--request 'GET'",
  ])
})

it('asks for a head without waiting for a body', () => {
  expect(linesOf('HEAD', '/')).toEqual(["curl 'http://a.test/'", '--head'])
})

it('keeps a field without a value, and leaves out Via', () => {
  const fields: [string, string][] = [
    ['X-Empty', ''],
    ['Via', '1.1 plugboard-1'],
  ]
  expect(linesOf('GET', '/', fields)).toEqual([
    "curl 'http://a.test/'",
    "--request 'GET'",
    "--header 'X-Empty;'",
  ])
})
