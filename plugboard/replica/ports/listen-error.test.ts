import { execPath, platform } from 'node:process'
import { expect, it } from 'vitest'
import { StartupError } from '../../common/startup-error.ts'
import { listenError } from './listen-error.ts'

const failed = (code: string) => Object.assign(new Error(code), { code })
const message = (code: string, host: string | undefined, port: number) =>
  (listenError(failed(code), { host, port }, '--listen') as Error).message

it.skipIf(platform !== 'linux')('a port below 1024 comes with the ways to get the privilege', () => {
  const text = message('EACCES', undefined, 80)
  expect(text).toMatch(/^Port 80 may not be opened by this user\. /)
  expect(text).toContain(`sudo setcap cap_net_bind_service=+ep ${execPath}`)
  expect(text).toContain('AmbientCapabilities=CAP_NET_BIND_SERVICE')
  expect(text).toContain('sysctl net.ipv4.ip_unprivileged_port_start=80')
  expect(text).toContain('--listen')
})

it('a port from 1024 on needs no privilege', () => {
  expect(message('EACCES', '127.0.0.1', 4000)).toMatch(/^127\.0\.0\.1:4000 may not be opened .*--listen\.$/)
  expect(message('EACCES', '127.0.0.1', 4000)).not.toContain('setcap')
})

it.each([
  ['EADDRINUSE', '::1', '[::1]:80 is in use: choose another with --listen.'],
  [
    'EADDRNOTAVAIL',
    '192.0.2.7',
    '192.0.2.7:80 is not an address of this machine: choose another with --listen.',
  ],
  ['EAFNOSUPPORT', '::', '[::]:80 is not an address of this machine: choose another with --listen.'],
])('%s of %s is one line', (code, host, expected) => {
  expect(message(code, host, 80)).toBe(expected)
})

it('an unknown error is passed on', () => {
  const error = failed('EUNKNOWN')
  expect(listenError(error, { host: undefined, port: 80 }, '--listen')).toBe(error)
  expect(error).not.toBeInstanceOf(StartupError)
})
