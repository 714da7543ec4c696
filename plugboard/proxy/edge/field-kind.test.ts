import { describe, expect, it } from 'vitest'
import { isOurs, KIND, kindOf } from './field-kind.ts'

describe('names', () => {
  it.each([
    'Transfer_Encoding',
    'transfer.encoding',
    'Transfer---Encoding',
    'TRANSFER-_ENCODING',
    'Transfer!Encoding',
    'Content_Length',
    'Content.Length',
    'content--length',
    'Keep_Alive',
    'HTTP2_Settings',
    'Max_Forwards',
    'Proxy_Authorization',
    'Proxy.Connection',
    'proxy--authenticate',
    'X_Forwarded_For',
    'X--Forwarded-For',
    'x-forwarded--for',
    'X.Forwarded',
    'X_Forwarded_User',
    'X-Real_IP',
    'X-Real-IP',
    'X_Request_ID',
    'x-request--id',
    'Plugboard-Error',
    'plugboard_hops',
    'PLUGBOARD.X',
    'plugboard~x',
    'Proxy',
    'PROXY',
  ])('%s is dropped', name => {
    expect(kindOf(name)).toBe(KIND.dropped)
  })

  it.each(['X-Forwarded-For', 'x-forwarded-prefix', 'X-FORWARDED', 'Forwarded', 'X-Forwarded-User'])(
    '%s is about the client',
    name => {
      expect(kindOf(name)).toBe(KIND.client)
    },
  )

  it.each([
    'User_Agent',
    'X_Custom',
    'Content_Type',
    'content-length-x',
    'Content-Length_',
    'Contents_Length',
    'X-Forward-For',
    'X-Requested-With',
    'X',
    'X-',
    'x--',
    'xforwarded-for',
    'Plugboard',
    'Plugboards-X',
    'Proxy-Status',
    'Proxies',
    'Cookies',
    'Set-Cookie',
    'Cache-Control',
    'Traceparents',
    'Hosts',
    'Forwarded-For',
    'Accepts',
    '',
  ])('%j is forwarded', name => {
    expect(kindOf(name)).toBe(KIND.plain)
  })

  it.each(['traceparent', 'TraceParent'])('%s is read, and forwarded', name => {
    expect(kindOf(name)).toBe(KIND.traceParent)
  })

  it.each(['Cookie', 'COOKIE'])('%s is forwarded without the session of the dashboard', name => {
    expect(kindOf(name)).toBe(KIND.cookie)
  })

  it.each(['Accept', 'ACCEPT'])('%s is kept as the preference of the client', name => {
    expect(kindOf(name)).toBe(KIND.accept)
  })
})

it.each([
  ['Plugboard-Error', true],
  ['plugboard_x', true],
  ['plugboard', false],
  ['plugboardx', false],
  ['x-plugboard-error', false],
])('only Plugboard may send %s: %s', (name, ours) => {
  expect(isOurs(name)).toBe(ours)
})
