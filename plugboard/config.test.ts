import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeSettings } from '@vera-stack/shared/settings.ts'
import { expect, test } from 'vitest'
import { settingProblems } from '../test/support/setting-problems.ts'
import { loadPlugboardConfig, plugboardSettings } from './config.ts'

const load = (flags: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
  loadPlugboardConfig({ flags, env, cwd: '/srv' }).values

const problems = (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
  settingProblems(() => load(flags, env))

test('the defaults fit together', () => {
  expect(load()).toMatchObject({
    listen: [{ host: undefined, port: 4000 }],
    adminListen: { host: '127.0.0.1', port: 4001 },
    data: '/srv/data',
    databaseUrl: undefined,
    trustedProxies: [],
    drainTimeoutMs: 30_000,
  })
})

test('the former log level trace is debug, and errors do not offer it', () => {
  expect(load({ logLevel: 'trace' }).logLevel).toBe('debug')
  expect(load({}, { PLUGBOARD_LOG_LEVEL: 'trace' }).logLevel).toBe('debug')
  expect(problems({ logLevel: 'toString' })).toEqual([
    'flag --log-level: "toString" is not one of: debug, info, warn, error, silent',
  ])
})

test('reads DATABASE_URL, and never shows its value', () => {
  expect(load({}, { DATABASE_URL: 'postgres://u:p@h/d' }).databaseUrl).toBe('postgres://u:p@h/d')
  expect(problems({}, { DATABASE_URL: 'mysql://u:hunter2@h/d' }).join()).not.toContain('hunter2')
})

test('accepts the variables of the command line client', () => {
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
    'adminListen (flag --admin-listen): port 5000 is already the port of the public address (listen)',
  ],
  [{ tunnelPingInterval: '10s' }, 'tunnelPingTimeout (default): must be longer'],
  [{ maxHead: '1KiB' }, 'maxTarget (default): must not be larger'],
  [{ trustedProxies: ['10.0.0.0/8', '10.0.0.0/33'] }, 'flag --trusted-proxies: "10.0.0.0/33"'],
  [{ publicUrl: 'ftp://x' }, 'flag --public-url: ftp: cannot be used'],
  [
    { tokenIssuer: 'https://id.test' },
    'tokenIssuer (flag --token-issuer): works only together with tokenJwksUrl',
  ],
  [
    { tokenIssuer: 'plugboard', tokenJwksUrl: 'https://id.test/jwks' },
    'tokenIssuer (flag --token-issuer): must not be "plugboard"',
  ],
  [{ tokenJwksUrl: 'https://id.test/jwks' }, 'tokenIssuer (not set): works only together with tokenJwksUrl'],
  [{ maxHeaders: '9' }, 'flag --max-headers'],
  [{ tlsListen: ':443' }, 'tlsListen (flag --tls-listen): needs tlsCertificateFolder'],
  [
    { tlsListen: ':4000', tlsCertificateFolder: '.' },
    'tlsListen (flag --tls-listen): port 4000 is already the port of the public address (listen)',
  ],
  [{ httpsRedirect: true }, 'httpsRedirect (flag --https-redirect): has no effect without tlsListen'],
  [{ tlsCertificates: ['chain.pem'] }, 'flag --tls-certificates: "chain.pem" is not chain.pem:key.pem'],
  [
    { tlsCiphers: ['intermediate', 'TLS_NULL'] },
    'flag --tls-ciphers: "TLS_NULL" is not a cipher of this Node: use "intermediate" or names of OpenSSL',
  ],
  [
    {
      tlsListen: ':443',
      tlsCertificateFolder: '.',
      tlsCiphers: ['ECDHE-RSA-AES128-GCM-SHA256'],
      tlsMinVersion: '1.3',
    },
    'tlsCiphers (flag --tls-ciphers): must name a cipher of TLS 1.3',
  ],
  [
    { tlsListen: ':443', tlsCertificateFolder: '.', tlsCiphers: [''] },
    'tlsCiphers (flag --tls-ciphers): must name at least one cipher',
  ],
  [{ acmeHosts: ['a.test'] }, 'acmeHosts (flag --acme-hosts): needs acmeDirectory'],
  [{ tlsListen: ':443', acmeDirectory: 'letsencrypt' }, 'acmeAgree (default): must be true'],
  [{ acmeHosts: ['A.test'] }, 'flag --acme-hosts: "A.test" is not a host'],
  [{ acmeChallenges: ['dns-01'] }, 'flag --acme-challenges: "dns-01" is not a challenge: use'],
])('%o is refused', (flags, expected) => {
  const found = problems(flags)
  expect(found).toHaveLength(1)
  expect(found[0]).toContain(expected)
})

test('an authority is a name or an https URL', () => {
  const rest = { tlsListen: ':443', acmeAgree: true }
  for (const acmeDirectory of ['letsencrypt', 'letsencrypt-staging', 'https://ca.test/dir']) {
    expect(problems({ ...rest, acmeDirectory })).toEqual([])
  }
  for (const acmeDirectory of ['http://ca.test/dir', 'someone', 'toString']) {
    expect(problems({ ...rest, acmeDirectory })[0]).toContain('must be letsencrypt')
  }
})

test('ports of both listeners may be left to the system', () => {
  expect(problems({ listen: '127.0.0.1:0', adminListen: '127.0.0.1:0' })).toEqual([])
})

test('a file supplies the settings that flags and variables do not set', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plugboard-config-'))
  try {
    const file = join(folder, 'plugboard.yaml')
    await writeFile(file, 'listen: :5000\nname: a\ntrustedProxies: [10.0.0.0/8]\ndata: state\n')
    const config = load({ config: file, name: 'c' }, { PLUGBOARD_NAME: 'b', PLUGBOARD_LISTEN: ':6000' })
    expect(config).toMatchObject({ name: 'c', trustedProxies: ['10.0.0.0/8'], data: join(folder, 'state') })
    expect(config.listen).toEqual([{ host: undefined, port: 6000 }])
    await writeFile(file, 'listn: :5000\n')
    expect(problems({ config: file })[0]).toContain('did you mean listen?')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the code reads each setting', () => {
  const folder = import.meta.dirname
  const sources = ['cli', 'dev', 'replica'].flatMap(room =>
    readdirSync(join(folder, room), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map(name => readFileSync(join(folder, room, name), 'utf8')),
  )
  // The settings for OpenTelemetry, which the Telephone has too.
  sources.push(readFileSync(join(folder, '../shared/otlp/otlp-settings.ts'), 'utf8'))
  const code = sources.join('\n')
  // `config` names the file that the others come from.
  const keys = Object.keys(plugboardSettings).filter(key => key !== 'config')
  const reads = (key: string): boolean =>
    [
      `\\b[cC]onfig\\.${key}\\b`,
      `\\{[^{}]*\\b${key}\\b[^{}]*\\} = (?:this\\.#)?config\\b`,
      `\\bconfig: \\{[^{}]*\\b${key}\\b[^{}]*\\} \\}:`,
    ].some(pattern => new RegExp(pattern).test(code))
  expect(keys.filter(key => !reads(key))).toEqual([])
})

test('the secret of a cluster may be several: by comma, by line in its file, by flag', async () => {
  const [one, two] = ['a secret of its own', 'another secret of mine']
  expect(load({}, { PLUGBOARD_CLUSTER_SECRET: `${one},${two}` }).clusterSecret).toEqual([one, two])
  expect(load({ clusterSecret: [one, two] }).clusterSecret).toEqual([one, two])
  expect(load({ clusterSecret: one }).clusterSecret).toEqual([one])
  expect(load({}).clusterSecret).toBeUndefined()
  const folder = await mkdtemp(join(tmpdir(), 'plugboard-config-'))
  try {
    const file = join(folder, 'secret')
    await writeFile(file, `${one}\n${two}\n`)
    const env = { PLUGBOARD_CLUSTER_SECRET_FILE: file }
    expect(load({}, env).clusterSecret).toEqual([one, two])
    const shown = describeSettings(plugboardSettings, loadPlugboardConfig({ flags: {}, env }))
    expect([shown.includes('***'), shown.includes(one), shown.includes(two)]).toEqual([true, false, false])
    // An empty file is no way to stand alone.
    await writeFile(file, '\n')
    expect(() => load({}, env)).toThrow('16 characters')
  } finally {
    await rm(folder, { recursive: true })
  }
  for (const clusterSecret of ['too short', `${one},short`]) {
    expect(problems({ clusterSecret })).toEqual([expect.stringContaining('16 characters or more')])
    expect(problems({ clusterSecret })[0]).not.toContain('short')
  }
})

test('the settings are in groups of the help, except for the file, the name and the data folder', () => {
  const general = Object.entries(plugboardSettings).filter(([, row]) => row.group === undefined)
  expect(general.map(([key]) => key)).toEqual(['config', 'name', 'data'])
})
