import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SettingsError } from '@vera-stack/shared/settings.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settingProblems } from '../test/support/setting-problems.ts'
import { loadTelephoneConfig, telephoneOptions, telephoneSettings } from './config.ts'
import { inspectService, type ServiceOptions } from './options/service-options.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'telephone-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const load = (flags: object, env: Record<string, string> = {}) =>
  telephoneOptions(loadTelephoneConfig({ flags: { ...flags }, env, cwd: folder }))

const problems = (flags: object, env: Record<string, string> = {}) => settingProblems(() => load(flags, env))

describe('settings', () => {
  it('read the former log level trace as debug', () => {
    const env = { TELEPHONE_LOG_LEVEL: 'trace' }
    const flags = { token: 'a.b.c', target: '3000', service: 'shop' }
    expect(loadTelephoneConfig({ flags, env, cwd: folder }).values.logLevel).toBe('debug')
  })

  it('of one service may all come from the environment', () => {
    const options = load(
      {},
      {
        TELEPHONE_PLUGBOARD: 'https://a.example, https://b.example',
        TELEPHONE_TOKEN: 'a.b.c',
        TELEPHONE_TARGET: 'unix:/run/app.sock',
        TELEPHONE_MOUNT: 'app.example.com/api/',
        TELEPHONE_LABELS: 'zone=eu,note=a=b',
        TELEPHONE_SERVICE_VERSION: '1.2',
        TELEPHONE_DRAIN_TIMEOUT: '1m',
      },
    )
    expect(options).toMatchObject({
      plugboards: ['https://a.example', 'https://b.example'],
      token: { kind: 'text', token: 'a.b.c' },
      drainTimeoutMs: 60_000,
      services: [
        {
          service: 'app.example.com-api',
          mount: 'app.example.com/api',
          target: { kind: 'unix', path: '/run/app.sock' },
          version: '1.2',
          labels: { zone: 'eu', note: 'a=b' },
        },
      ],
    })
  })

  it('reject a target that is the Plugboard itself', () => {
    const flags = { token: 'a.b.c', service: 'web', plugboard: ['http://localhost:4000'] }
    expect(problems({ ...flags, target: '4000' })).toEqual([
      expect.stringMatching(
        /^target \(flag --target\): localhost:4000 is the Plugboard http:\/\/localhost:4000 itself, /,
      ),
    ])
  })

  it('of an HTTP/2 backend keep the defaults of HTTP/2', () => {
    for (const target of ['h2c://localhost:50051', 'h2://grpc.example.com', 'unix+h2c:/run/grpc.sock']) {
      const { services } = load({ target, service: 'grpc', token: 'a.b.c' })
      expect(services).toMatchObject([{ target: { http2: true } }])
      expect(services[0]?.pool).not.toHaveProperty('maxConnections')
      expect(services[0]?.pool).not.toHaveProperty('keepAliveMs')
    }
  })

  it.each([
    ['grpc://localhost:50051', {}, 'write h2c://localhost:50051'],
    ['h2c://localhost:50051', { tlsVerify: false }, 'for TLS write h2://localhost:50051'],
    ['unix+h2c:/run/grpc.sock', { tlsCa: 'ca.pem' }, 'has no TLS'],
    ['localhost:50051', { healthCheck: 'grpc' }, 'write its target as h2c://localhost:50051'],
    ['h2c://localhost:50051', { healthCheck: 'grpc:' }, 'is not tcp, grpc, grpc:<service>'],
  ])('without effect on the version of HTTP are rejected with the remedy: %s %o', (target, flags, words) => {
    writeFileSync(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----')
    expect(problems({ target, service: 'grpc', token: 'a.b.c', ...flags }).join()).toContain(words)
  })

  it('of several services are in the file', () => {
    writeFileSync(
      join(folder, 'telephone.yaml'),
      [
        'plugboard: [https://proxy.example.com]',
        'tokenFile: token',
        'services:',
        '  - { service: web, target: 3000, healthCheck: /healthz, healthInterval: 5s }',
        '  - { mount: "*.example.com", target: "https://10.0.0.7:8443", tlsVerify: false, weight: 5 }',
      ].join('\n'),
    )
    expect(load({ config: 'telephone.yaml' })).toMatchObject({
      token: { kind: 'file', path: join(folder, 'token') },
      services: [
        {
          service: 'web',
          target: { kind: 'tcp', port: 3000 },
          healthCheck: '/healthz',
          healthIntervalMs: 5000,
        },
        {
          service: 'any.example.com',
          target: { kind: 'tls', host: '10.0.0.7' },
          tlsVerify: false,
          weight: 5,
        },
      ],
    })
  })

  it('use the token of the stronger source when there are several', () => {
    const target = { target: '3000', service: 'web' }
    const file = { kind: 'file', path: join(folder, 'f') }
    expect(load({ ...target, tokenFile: 'f' }, { TELEPHONE_TOKEN: 'x' }).token).toEqual(file)
    expect(load({ ...target, token: 'x' }, { TELEPHONE_TOKEN_FILE: 'f' }).token).toMatchObject({
      kind: 'text',
    })
    expect(load(target, { TELEPHONE_TOKEN_FILE: 'f' }).token).toEqual(file)
  })
})

describe('a wrong setting', () => {
  it('is reported together with all others, with its source and the remedy', () => {
    expect(problems({ target: '70000', mount: 'a//b' })).toEqual([
      expect.stringMatching(/^token.*--token-file or TELEPHONE_TOKEN/),
      expect.stringMatching(/^target.*a port is 1 to 65535/),
      expect.stringMatching(/^mount.*empty segment/),
    ])
    expect(problems({ token: 'x' })).toEqual([expect.stringMatching(/TELEPHONE_TARGET/)])
    expect(problems({ token: 'x', target: '3000' })).toEqual([expect.stringMatching(/service.*mount/)])
    expect(problems({ token: 'x', target: '3000', service: 'a', tlsCa: 'none.pem' })).toEqual([
      expect.stringMatching(/tlsCa.*none\.pem cannot be read \(ENOENT\)/),
    ])
    expect(problems({}, { TELEPHONE_TARGTE: '3000' })[0]).toMatch(/TELEPHONE_TARGET/)
  })

  it('for labels is reported before Plugboard refuses the labels', () => {
    const base = { token: 'x', target: '3000', service: 'a' }
    const labels = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join(',')
    expect(problems({ ...base, labels: labels(65) })).toEqual([
      expect.stringMatching(/has 65 labels; at most 64 are allowed/),
    ])
    expect(load({ ...base, labels: labels(64) }).services).toHaveLength(1)
  })

  it('in the file is reported with its line', () => {
    writeFileSync(
      join(folder, 'telephone.yaml'),
      'token: x\nservices:\n  - target: 3000\n    servce: web\n  - target: 3000\n    healthInterval: soon\n',
    )
    const found = problems({ config: 'telephone.yaml' })
    expect(found[0]).toMatch(/^telephone\.yaml:4: .*unknown key "servce"/)
    expect(found[1]).toMatch(/^telephone\.yaml:6: .*"soon"/)
  })

  it('that depends on two services of the file is reported', () => {
    writeFileSync(
      join(folder, 'telephone.yaml'),
      'token: x\nservices:\n  - { service: a, target: 1 }\n  - { service: a, target: 0 }\n  - { service: a, target: 2 }\n',
    )
    expect(problems({ config: 'telephone.yaml', target: '3' })).toEqual([
      expect.stringMatching(/cannot be set beside/),
      expect.stringMatching(/\[1\]\.target: "0" has no usable port/),
      expect.stringMatching(/\[2\]: "a" is listed twice/),
    ])
  })
})

it.each([
  ['h2c://127.0.0.1:1', 'lenient', /no effect here/],
  ['h2://127.0.0.1:1', 'lenient', /no effect here/],
  ['127.0.0.1:1', 'loose', /"loose" is not strict or lenient/],
])('rejects for the target %s the backendParsing %s', (target, backendParsing, problem) => {
  const { problems } = inspectService({ service: 'web', target, backendParsing } as ServiceOptions)
  expect(problems.map(({ field, message }) => [field, message])).toEqual([
    ['backendParsing', expect.stringMatching(problem)],
  ])
})

it('passes backendParsing to the pool of the service', () => {
  const { service } = inspectService({ service: 'web', target: 1, backendParsing: 'lenient' })
  expect(service?.pool.backendParsing).toBe('lenient')
})

describe('a command that a person types', () => {
  const personal = (flags: object, env: Record<string, string> = {}) =>
    telephoneOptions(loadTelephoneConfig({ flags: { ...flags }, env, cwd: folder, personal: true }))
  const refusal = (flags: object): string => {
    try {
      personal(flags)
      return ''
    } catch (error) {
      return error instanceof SettingsError ? error.message : String(error)
    }
  }
  const localToken = (): string => {
    const file = join(folder, 'data/secrets/telephone.jwt')
    mkdirSync(join(folder, 'data/secrets'), { recursive: true })
    writeFileSync(file, 'a.b.c\n', { mode: 0o600 })
    return file
  }

  it('finds the token of a Plugboard in this folder, and generates names', () => {
    const path = localToken()
    const options = personal({ target: '3000' })
    expect(options.token).toEqual({ kind: 'file', path })
    const [service] = options.services
    expect(service).toMatchObject({ mount: undefined })
    expect(service?.generatedHost).toMatch(/^[a-z]+-[a-z]+$/)
    expect(service?.service).toMatch(new RegExp(`^tunnel-${service?.generatedHost}-[a-z2-9]{8}$`))
    expect(personal({ target: '3000' }).services[0]?.service).not.toBe(service?.service)
  })

  it('prefers a token in the settings', () => {
    localToken()
    const given = { kind: 'text', token: 'x.y.z' }
    expect(personal({ target: '3000', token: 'x.y.z' }).token).toEqual(given)
    expect(personal({ target: '3000' }, { TELEPHONE_TOKEN: 'x.y.z' }).token).toEqual(given)
  })

  it('generates no name when a mount or a service is set', () => {
    localToken()
    for (const flags of [{ mount: 'app.test' }, { service: 'web' }]) {
      expect(personal({ target: '3000', ...flags }).services[0]?.generatedHost).toBeUndefined()
    }
  })

  it('does not send the token of this machine to another machine', () => {
    localToken()
    expect(refusal({ target: '3000', plugboard: ['https://proxy.example.com'] })).toMatch(
      /token .*is missing/,
    )
    expect(
      refusal({ target: '3000', plugboard: ['http://localhost:4000', 'https://proxy.example.com'] }),
    ).toMatch(/token .*is missing/)
  })

  it('names the place where a local Plugboard has its token', () => {
    const plugboard = ['https://proxy.example.com']
    expect(refusal({ target: '3000', plugboard })).toContain(join(folder, 'data/secrets/telephone.jwt'))
  })

  it('warns when other users can read that token', () => {
    chmodSync(localToken(), 0o644)
    const { warnings } = loadTelephoneConfig({
      flags: { target: '3000' },
      env: {},
      cwd: folder,
      personal: true,
    })
    expect(warnings).toHaveLength(1)
  })

  it('describes a missing target as an argument, not as a flag', () => {
    localToken()
    expect(refusal({})).toContain('is missing: add it to the command, such as "3000", set TELEPHONE_TARGET')
    expect(refusal({ target: '99999' })).toContain('target (argument <target>): "99999" has no usable port')
    expect(problems({ token: 'x.y.z' }).join()).toContain('is missing: set --target, set TELEPHONE_TARGET')
  })

  it('is the only kind of command with generated values', () => {
    localToken()
    expect(problems({ target: '3000' }).join()).toMatch(/token.*is missing/)
  })
})

it('puts each setting with a flag, except for the file, into a group of the help', () => {
  const rows = Object.entries(telephoneSettings).filter(([, row]) => row.schema === undefined)
  expect(rows.filter(([, row]) => row.group === undefined).map(([key]) => key)).toEqual(['config'])
  expect(new Set(rows.flatMap(([, row]) => row.group ?? []))).toEqual(
    new Set(['Target and name', 'Plugboard', 'Tunnels', 'Backend', 'TLS of the backend', 'Health', 'Output']),
  )
})

it('refuses a credential in otlpEndpoint, and does not show it', () => {
  const load = (otlpEndpoint: string) =>
    loadTelephoneConfig({
      env: {},
      flags: { token: 't', target: '3000', service: 'a', plugboard: 'http://p', otlpEndpoint },
    })
  expect(load('http://127.0.0.1:4318/otlp').values.otlpEndpoint).toBe('http://127.0.0.1:4318/otlp')
  let message = ''
  try {
    load('http://user:hunter2@collector')
  } catch (error) {
    message = String(error)
  }
  expect(message).toContain('--otlp-endpoint')
  expect(message).not.toContain('hunter2')
  expect(() => load('http://collector/v1/metrics')).toThrow(/remove this part/)
})

it('shows requests on an address of this machine only', () => {
  const inspect = (address: string | true) =>
    loadTelephoneConfig({ env: {}, flags: { token: 'x', target: '3000', service: 'a', inspect: address } })
      .values.inspect
  expect(inspect(true)).toEqual({ host: '127.0.0.1', port: 4040 })
  expect(inspect('localhost:5')).toEqual({ host: 'localhost', port: 5 })
  expect(inspect('[::1]:5')).toEqual({ host: '::1', port: 5 })
  for (const address of ['0.0.0.0:4040', '192.0.2.1:4040', ':4040', '4040'])
    expect(() => inspect(address)).toThrow('must be a loopback address')
})
