import { SettingsError } from '@vera-stack/shared/settings.ts'
import { expect, test } from 'vitest'
import { loadPlugboardConfig } from './config.ts'

const load = (flags: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
  loadPlugboardConfig({ flags, env, cwd: '/srv' }).values

function problems(flags: Record<string, unknown>, env: Record<string, string> = {}): string[] {
  try {
    load(flags, env)
  } catch (error) {
    if (error instanceof SettingsError)
      return error.problems.map(({ source, detail }) => `${source}: ${detail}`)
    throw error
  }
  return []
}

test('the defaults fit together', () => {
  expect(load()).toMatchObject({
    listen: { host: undefined, port: 4000 },
    adminListen: { host: '127.0.0.1', port: 4001 },
    data: '/srv/data',
    databaseUrl: undefined,
    trustedProxies: [],
    drainTimeoutMs: 30_000,
  })
})

test('DATABASE_URL is understood, and never shown', () => {
  expect(load({}, { DATABASE_URL: 'postgres://u:p@h/d' }).databaseUrl).toBe('postgres://u:p@h/d')
  expect(problems({}, { DATABASE_URL: 'mysql://u:hunter2@h/d' }).join()).not.toContain('hunter2')
})

test('variables of the command line client are nobody else’s mistake', () => {
  const env = {
    PLUGBOARD_API_KEY: 'x',
    PLUGBOARD_API_KEY_FILE: '',
    PLUGBOARD_URL: 'http://x',
    PLUGBOARD_OUTPUT: 'json',
  }
  expect(problems({}, env)).toEqual([])
  expect(problems({}, { PLUGBOARD_LISTN: ':1' })[0]).toContain('did you mean PLUGBOARD_LISTEN?')
})

test.each([
  [
    { listen: ':5000', adminListen: '127.0.0.1:5000' },
    'adminListen (flag --admin-listen): the public address has',
  ],
  [{ tunnelPingInterval: '10s' }, 'tunnelPingTimeout (default): must be longer'],
  [{ maxHead: '1KiB' }, 'maxTarget (default): must not be larger'],
  [{ trustedProxies: ['10.0.0.0/8', '10.0.0.0/33'] }, 'flag --trusted-proxies: "10.0.0.0/33"'],
  [{ publicUrl: 'ftp://x' }, 'flag --public-url: ftp: cannot be used'],
])('%o is refused', (flags, expected) => {
  const found = problems(flags)
  expect(found).toHaveLength(1)
  expect(found[0]).toContain(expected)
})

test('ports of both listeners may be left to the system', () => {
  expect(problems({ listen: '127.0.0.1:0', adminListen: '127.0.0.1:0' })).toEqual([])
})
