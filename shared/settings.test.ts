import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  addOptions,
  describeSettings,
  group,
  type ListenAddress,
  type LoadOptions,
  loadSettings,
  SettingsError,
  type SettingsOf,
  setting,
  settingsMarkdown,
} from './settings.ts'

const service = z.strictObject({ name: z.string(), target: z.url(), retries: z.int().optional() })
const table = {
  config: setting.path({ help: 'The settings file' }),
  listen: setting.listen({ default: ':4000', short: 'l', help: 'The public address' }),
  drainTimeoutMs: setting.duration({ default: '30s', min: '1s', max: '1h', help: 'The grace at stop' }),
  maxHeadBytes: setting.bytes({ default: '64KiB', max: '1MiB', help: 'The largest head' }),
  sharePercent: setting.percent({ default: '75%', min: 1, help: 'The share of a client' }),
  accessLog: setting.boolean({ default: true, help: 'One line per request' }),
  format: setting.choice(['json', 'text'], { default: 'json', help: 'The form of a line' }),
  databaseUrl: setting.url({
    protocols: ['postgres', 'postgresql'],
    secret: true,
    variables: ['DATABASE_URL'],
    help: 'The database',
  }),
  data: setting.path({ default: './data', help: 'The data folder' }),
  trustedProxies: setting.list({ default: [], item: 'cidr', help: 'Proxies that may send X-Forwarded-For' }),
  services: setting.structure(z.array(service), { default: [], help: 'The services' }),
} as const

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

type Given = Partial<LoadOptions<typeof table>>
const load = (given: Given = {}) => loadSettings(table, { prefix: 'APP_', env: {}, cwd: folder, ...given })
const file = (text: string) => {
  writeFileSync(join(folder, 'app.yaml'), text)
  return { flags: { config: 'app.yaml' } }
}
function problems(given: Given): string[] {
  try {
    load(given)
  } catch (error) {
    if (error instanceof SettingsError) return error.problems.map(p => `${p.source}: ${p.detail}`)
    throw error
  }
  return []
}

describe('values', () => {
  test('come from the defaults, strictly typed', () => {
    const { values } = load()
    expect(values).toMatchObject({
      listen: { host: undefined, port: 4000 },
      drainTimeoutMs: 30_000,
      maxHeadBytes: 65_536,
      accessLog: true,
      format: 'json',
      databaseUrl: undefined,
      data: join(folder, 'data'),
      trustedProxies: [],
      services: [],
    })
    type Values = SettingsOf<typeof table>
    expectTypeOf<Values['listen']>().toEqualTypeOf<ListenAddress>()
    expectTypeOf<Values['drainTimeoutMs']>().toEqualTypeOf<number>()
    expectTypeOf<Values['databaseUrl']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Values['format']>().toEqualTypeOf<'json' | 'text'>()
    expectTypeOf<Values['services'][number]['retries']>().toEqualTypeOf<number | undefined>()
  })

  test('a flag beats a variable, which beats the file', () => {
    const { flags } = file('listen: :1\ndrainTimeout: 1m\nmaxHead: 1KiB\n')
    const env = { APP_LISTEN: ':2', APP_DRAIN_TIMEOUT: '2m' }
    const { values, sources } = load({ flags: { ...flags, listen: '127.0.0.1:3' }, env })
    expect(values).toMatchObject({
      listen: { host: '127.0.0.1', port: 3 },
      drainTimeoutMs: 120_000,
      maxHeadBytes: 1024,
    })
    expect(sources.listen.label).toBe('flag --listen')
    expect(sources.drainTimeoutMs.label).toBe('variable APP_DRAIN_TIMEOUT')
    expect(sources.maxHeadBytes.label).toBe('app.yaml:3')
    expect(sources.format.label).toBe('default')
  })

  test.each([
    ['drainTimeout', '1h', 'drainTimeoutMs', 3_600_000],
    ['drainTimeout', '1m30s', 'drainTimeoutMs', 90_000],
    ['drainTimeout', '1500ms', 'drainTimeoutMs', 1500],
    ['maxHead', '10KB', 'maxHeadBytes', 10_000],
    ['maxHead', '0.5MiB', 'maxHeadBytes', 524_288],
    ['share', '50%', 'sharePercent', 50],
    ['share', '100', 'sharePercent', 100],
    ['listen', '[::1]:80', 'listen', { host: '::1', port: 80 }],
    ['listen', '8080', 'listen', { host: undefined, port: 8080 }],
    ['trustedProxies', 'a, b,', 'trustedProxies', ['a', 'b']],
    ['accessLog', false, 'accessLog', false],
    ['databaseUrl', 'postgres://u@/d?host=/run', 'databaseUrl', 'postgres://u@/d?host=/run'],
  ])('%s %s', (flag, raw, key, expected) => {
    expect(load({ flags: { [flag]: raw } }).values).toMatchObject({ [key]: expected })
  })

  test('a relative path in the file starts at the folder of the file', () => {
    writeFileSync(join(folder, 'app.yaml'), 'data: ../elsewhere\n')
    const { values } = load({ cwd: '/', flags: { config: join(folder, 'app.yaml') } })
    expect(values.data).toBe(join(folder, '../elsewhere'))
  })

  test('a structured part is checked by its schema', () => {
    const { values } = load(file('services:\n  - { name: web, target: "http://a:1", retries: 5 }\n'))
    expect(values.services).toEqual([{ name: 'web', target: 'http://a:1', retries: 5 }])
  })

  test('a secret may come from a file that a variable names', () => {
    writeFileSync(join(folder, 'secret'), 'postgres://u:p@h/d\n')
    const { values, sources } = load({ env: { APP_DATABASE_URL_FILE: 'secret' } })
    expect(values.databaseUrl).toBe('postgres://u:p@h/d')
    expect(sources.databaseUrl.label).toBe('variable APP_DATABASE_URL_FILE')
  })

  test('an alias without our prefix sets the value, unless the variable with our prefix is set', () => {
    const env = { DATABASE_URL: 'postgres://alias', APP_DATABASE_URL: 'postgres://own' }
    expect(load({ env: { DATABASE_URL: env.DATABASE_URL } }).values.databaseUrl).toBe('postgres://alias')
    expect(load({ env }).values.databaseUrl).toBe('postgres://own')
  })

  test('an empty variable and the variables that Kubernetes sets for a Service are ignored', () => {
    const env = {
      APP_LISTEN: '',
      APP_PORT: 'tcp://10.0.0.7:4000',
      APP_SERVICE_HOST: '10.0.0.7',
      APP_PORT_4000_TCP_ADDR: '10.0.0.7',
    }
    expect(load({ env }).values.listen.port).toBe(4000)
  })
})

describe('problems', () => {
  test('are reported all at once, each with its place', () => {
    const { flags } = file('drainTimout: 30s\nmaxHead: 5MiB\nservices:\n  - name: web\n    targt: http://a\n')
    const given = { flags: { ...flags, listen: 'nowhere' }, env: { APP_FORMAT: 'xml', APP_LISTN: ':1' } }
    expect(problems(given)).toEqual([
      'variable APP_LISTN: there is no such setting; did you mean APP_LISTEN?',
      'app.yaml:1: unknown key "drainTimout"; did you mean drainTimeout?',
      'app.yaml:4: services[0].target: is required',
      'app.yaml:5: services[0]: unknown key "targt"; did you mean target?',
      'app.yaml:2: 5MiB is too large: at most 1MiB',
      'variable APP_FORMAT: "xml" is not one of: json, text',
      'flag --listen: "nowhere" is not an address such as :4000, 127.0.0.1:4000 or [::1]:4000',
    ])
  })

  test.each([
    [{ flags: { drainTimeout: '30' } }, 'flag --drain-timeout: "30" has no unit: write 30s'],
    [{ flags: { drainTimeout: '1ms' } }, 'flag --drain-timeout: 1ms is too small: at least 1s'],
    [{ flags: { share: 'half' } }, 'flag --share: "half" is not a percentage such as 75%'],
    [{ flags: { share: '101%' } }, 'flag --share: 101% is too large: at most 100%'],
    [{ flags: { share: '0' } }, 'flag --share: 0% is too small: at least 1%'],
    [{ flags: { listen: ':99999' } }, 'flag --listen: ":99999" is not an address'],
    [{ env: { APP_ACCESS_LOG: 'maybe' } }, 'variable APP_ACCESS_LOG: "maybe" is neither true nor false'],
    [{ flags: { config: 'none.yaml' } }, 'none.yaml: the file cannot be read (ENOENT)'],
    [
      { env: { APP_DATABASE_URL_FILE: '/nope' } },
      'variable APP_DATABASE_URL_FILE: the file /nope cannot be read (ENOENT)',
    ],
    [
      { env: { APP_DATABASE_URL_FILE: 'a', APP_DATABASE_URL: 'postgres://b' } },
      'variable APP_DATABASE_URL_FILE: APP_DATABASE_URL sets the same thing',
    ],
  ] satisfies [Given, string][])('%o', (given, expected) => {
    const found = problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(expected)
  })

  test.each([
    ['listen: [', 'app.yaml:1: not valid YAML'],
    ['- a\n', 'app.yaml:1: the file must hold settings'],
    ['\nlisten:\n', 'app.yaml:2: listen has no value'],
    ['listen: :1\nlisten: :2\n', 'app.yaml:2: not valid YAML: Map keys must be unique'],
  ])('the file %j', (text, expected) => {
    expect(problems(file(text))[0]).toContain(expected)
  })

  test('do not contain a secret', () => {
    const [found] = problems({ env: { APP_DATABASE_URL: 'mysql://u:hunter2@h/d' } })
    expect(found).toBe('variable APP_DATABASE_URL: not usable as URL (the value is secret and not shown)')
  })

  test('a missing required setting names the ways to give it', () => {
    const required = { token: setting.text({ required: true, secret: true, help: 'The token' }) }
    expect(() => loadSettings(required, { prefix: 'APP_', env: {} })).toThrow(
      'token: is missing: set --token, or APP_TOKEN',
    )
  })

  test('a rule between settings names the source of the wrong value', () => {
    const check: NonNullable<Given['check']> = () => [{ key: 'drainTimeoutMs', detail: 'is at odds' }]
    expect(problems({ flags: { drainTimeout: '5s' }, check })).toEqual([
      'drainTimeout (flag --drain-timeout): is at odds',
    ])
  })
})

describe('files with secrets', () => {
  const secretTable = {
    ...table,
    tokenFile: setting.path({ holdsSecret: true, help: 'The token' }),
  }
  const warningsOf = (given: { env?: Record<string, string>; flags?: Record<string, unknown> }) =>
    loadSettings(secretTable, { prefix: 'APP_', env: {}, cwd: folder, ...given }).warnings
  const write = (name: string, text: string, mode: number): string => {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), mode)
    return join(folder, name)
  }

  test('are used, with a warning, when other users can read them', () => {
    write('url', 'postgres://u:p@h/d\n', 0o644)
    write('token', 'x', 0o666)
    write('app.yaml', 'databaseUrl: postgres://u:p@h/d\n', 0o644)
    expect(warningsOf({ env: { APP_DATABASE_URL_FILE: 'url' }, flags: { tokenFile: 'token' } })).toEqual([
      { source: 'variable APP_DATABASE_URL_FILE', detail: expect.stringContaining('can read') },
      { source: 'flag --token-file', detail: expect.stringContaining('can change') },
    ])
    expect(warningsOf({ flags: { config: 'app.yaml' } })).toEqual([
      { source: 'app.yaml', detail: expect.stringContaining('(mode 0644)') },
    ])
  })

  test('cause no warning when they are private, or when a file of settings has no secret', () => {
    write('url', 'postgres://u:p@h/d\n', 0o600)
    write('app.yaml', 'accessLog: false\n', 0o644)
    expect(warningsOf({ env: { APP_DATABASE_URL_FILE: 'url' }, flags: { config: 'app.yaml' } })).toEqual([])
  })
})

test('the effective settings hide secrets and name the source of each value', () => {
  const loaded = load({
    env: { APP_DATABASE_URL: 'postgres://u:hunter2@h/d' },
    flags: { drainTimeout: '90s' },
  })
  const text = describeSettings(table, loaded)
  expect(text).toMatch(/^databaseUrl +\*{3} +\(variable APP_DATABASE_URL\)$/m)
  expect(text).toMatch(/^drainTimeout +90s +\(flag --drain-timeout\)$/m)
  expect(text).not.toContain('hunter2')
})

test('makes options and the table of the documents from the same rows', () => {
  const flags: string[] = []
  const host = {
    optionsGroup: () => undefined,
    option: (flag: string, help: string) => flags.push(`${flag}: ${help}`),
  }
  addOptions(host, table, 'APP_')
  expect(flags).toContain(
    '--drain-timeout <duration>: The grace at stop (at least 1s, at most 1h; default 30s; APP_DRAIN_TIMEOUT)',
  )
  expect(flags).toContain('-l, --listen <host:port>: The public address (default :4000; APP_LISTEN)')
  expect(flags).toContain(
    '--trusted-proxies <cidr…>: Proxies that may send X-Forwarded-For (APP_TRUSTED_PROXIES)',
  )
  expect(flags).toContain('--no-access-log: the opposite of --access-log')
  expect(flags.join()).not.toContain('--services')
  expect(settingsMarkdown(table, 'APP_')).toContain(
    '| `maxHead` | `--max-head` | `APP_MAX_HEAD` | size | `64KiB` | The largest head (at most 1MiB) |',
  )
})

test('options are below the heading of their group, and a long list of choices is in the description', () => {
  const lines: string[] = []
  const host = {
    optionsGroup: (heading: string) => lines.push(heading),
    option: (flag: string, help: string) => lines.push(`${flag}: ${help}`),
  }
  const choices = ['trace', 'debug', 'info', 'warn', 'error'] as const
  const rows = {
    config: setting.path({ help: 'File' }),
    ...group('Output', { logLevel: setting.choice(choices, { default: 'info', help: 'Level' }) }),
  }
  addOptions(host, rows, 'APP_')
  expect(lines).toEqual([
    'Options:',
    '--config <path>: File (APP_CONFIG)',
    'Output:',
    '--log-level <choice>: Level (one of trace, debug, info, warn, error; default info; APP_LOG_LEVEL)',
    'Options:',
  ])
})

test('a flag with a value of its own needs no value', () => {
  const table = { inspect: setting.listen({ bare: '127.0.0.1:4040', help: 'A page' }) }
  const options: string[] = []
  const collect = (flags: string) => void options.push(flags)
  addOptions({ optionsGroup: () => undefined, option: collect }, table, 'X_')
  expect(options).toEqual([expect.stringMatching(/^--inspect \[.+\]$/)])
  const load = (flags: object) =>
    loadSettings(table, { prefix: 'X_', env: {}, flags: { ...flags } }).values.inspect
  // The parser returns true for a flag without its value.
  expect(load({ inspect: true })).toEqual({ host: '127.0.0.1', port: 4040 })
  expect(load({ inspect: '[::1]:5' })).toEqual({ host: '::1', port: 5 })
  expect(load({})).toBeUndefined()
})
