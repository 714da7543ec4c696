// The settings of a Telephone process, one row for each. `--help`, the variables TELEPHONE_*, the keys of the YAML file and the
// table in docs/telephone/settings.md are derived from these rows. `http`, `start` and `check` use the same settings.

import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { LOG_LEVEL_ALIASES, LOG_LEVELS } from '@vera-stack/shared/log.ts'
import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'
import { otlpProblems, otlpSettings } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { secretFileProblem } from '@vera-stack/shared/process/secret-file.ts'
import {
  group,
  type LoadedSettings,
  type LoadOptions,
  loadSettings,
  type SettingsOf,
  type Source,
  setting,
} from '@vera-stack/shared/settings.ts'
import { targetLoopProblem } from './backend/target-loop.ts'
import { generatedLabel, generatedService } from './options/generated-name.ts'
import { findLocalToken, localTokenFiles } from './options/local-token.ts'
import { inspectService, parseService, type Service, type ServiceOptions } from './options/service-options.ts'
import { readPem, serviceOptionsOf, servicesSchema } from './options/service-schema.ts'
import type { TelephoneOptions } from './telephone.ts'
import { tunnelUrl } from './tunnel/plugboard-url.ts'
import type { TokenSource } from './tunnel/token-store.ts'

export const VARIABLE_PREFIX = 'TELEPHONE_'

export const telephoneSettings = {
  config: setting.path({ short: 'c', help: 'YAML file with settings' }),

  ...group('Target and name', {
    // These describe one service. A file describes several services under `services`.
    target: setting.text({
      help: 'Backend: a port, host:port, http(s)://host:port or unix:/path.sock; HTTP/2: h2c:// (cleartext), h2:// (TLS) or unix+h2c:',
    }),
    service: setting.text({ short: 's', help: 'Name of the service (default: made from the mount)' }),
    mount: setting.text({ short: 'm', help: 'Mount to claim for the service: host/path' }),
    ephemeral: setting.boolean({
      default: false,
      help: "Plugboard deletes the mount some time after its last tunnel has ended (Plugboard's ephemeralGrace); a generated mount always",
    }),
    mountLifetimeMs: setting.duration({
      min: '1m',
      max: '3650d',
      help: 'How long Plugboard keeps the mount after its last tunnel has ended (default: until it is deleted)',
    }),
    weight: setting.integer({
      default: 100,
      max: 1000,
      help: 'Relative share of the traffic among the telephones of a service',
    }),
    serviceVersion: setting.text({
      help: 'Version of the backend, for status and for subsets of the service',
    }),
    labels: setting.list({
      default: [],
      item: 'key=value',
      check: labelProblem,
      help: 'Labels of the service, for subsets and locality',
    }),
  }),

  ...group('Plugboard', {
    plugboard: setting.list({
      default: ['http://localhost:4000'],
      item: 'url',
      check: plugboardProblem,
      help: 'URL of the Plugboard; several: the Telephone uses any of them',
    }),
    token: setting.text({ secret: true, help: 'Token (JWT) that Plugboard has issued' }),
    tokenFile: setting.path({
      holdsSecret: true,
      help: 'File with the token; the Telephone writes renewed tokens to it',
    }),
    name: setting.text({
      help: 'Name of this telephone; a newer process with the same name and token takes over its services (default: host name and service)',
    }),
    plugboardCa: setting.path({ help: 'PEM file of CAs to trust for the certificate of Plugboard' }),
  }),

  ...group('Tunnels', {
    tunnels: setting.integer({
      default: 2,
      min: 1,
      max: 16,
      help: 'Connections to Plugboard, to different replicas if there are several',
    }),
    followReplicas: setting.boolean({
      default: true,
      help: 'Connect also to the replicas whose addresses Plugboard sends',
    }),
    dialTimeoutMs: setting.duration({
      default: '10s',
      min: '100ms',
      max: '5m',
      help: 'Time limit for one attempt to connect to Plugboard',
    }),
    drainTimeoutMs: setting.duration({
      default: '30s',
      max: '24h',
      help: 'At stop: time limit for open requests and WebSockets',
    }),
    maxHeldBytes: setting.bytes({
      min: '4MiB',
      help: 'Bytes that this process may hold for slow backends and readers; default: a quarter of its memory, 640MiB at most',
    }),
  }),

  ...group('Backend', {
    hostHeader: setting.text({
      default: 'preserve',
      help: 'Host that the backend receives: preserve, backend (the host of the target) or a fixed one',
    }),
    connectTimeoutMs: setting.duration({
      default: '5s',
      min: '10ms',
      max: '5m',
      help: 'Time limit for a connection to the backend',
    }),
    keepAliveMs: setting.duration({
      max: '1h',
      help: 'How long an idle connection to the backend stays open; 0s: not at all (default: 4s; HTTP/2: 60s)',
    }),
    maxConnections: setting.integer({
      min: 1,
      max: 65_535,
      help: 'Connections to the backend at once (default: 512; HTTP/2, with many requests on each: 64)',
    }),
    backendParsing: setting.choice(['strict', 'lenient'], {
      default: 'strict',
      help: 'lenient: accept bare LF, blanks before a colon and folded lines in the heads of an HTTP/1.1 backend',
    }),
    clientSharePercent: setting.percent({
      default: `${DEFAULT_CLIENT_SHARE_PERCENT}%`,
      min: 1,
      help: 'Largest part of the connections to the backend that one client address (IPv6: one /64) may hold; 100%: all',
    }),
  }),

  ...group('TLS of the backend', {
    tlsVerify: setting.boolean({ default: true, help: 'Check the certificate of an https or h2 backend' }),
    tlsCa: setting.path({ help: 'PEM file of CAs to trust for the certificate of an https or h2 backend' }),
  }),

  ...group('Health', {
    healthCheck: setting.text({
      help: 'tcp, a path for GET, or grpc; the service is announced as down when the check fails',
    }),
    healthIntervalMs: setting.duration({
      default: '10s',
      min: '1s',
      max: '1h',
      help: 'Time between health checks',
    }),
  }),
  services: setting.structure(servicesSchema, {
    help: 'Several services, each with the keys of one service',
  }),

  ...group('Output', {
    logLevel: setting.choice(LOG_LEVELS, {
      aliases: LOG_LEVEL_ALIASES,
      default: 'info',
      help: 'Lowest level of the lines to write',
    }),
    logFormat: setting.choice(['auto', 'status', 'json', 'text'], {
      default: 'auto',
      help: 'status: lines for a terminal; json, text: a log; auto: status for http and on a terminal, otherwise json',
    }),
    metricsListen: setting.listen({
      help: 'Address that serves /metrics for Prometheus, without a key, such as 127.0.0.1:9401',
    }),
    ...otlpSettings,
    inspect: setting.listen({
      since: '0.2.0',
      bare: '127.0.0.1:4040',
      help: 'Loopback address of a page with the requests and responses of this Telephone, with masked secrets',
    }),
    accessLog: setting.boolean({
      default: false,
      help: 'Log one line for each finished request; telephone http on a terminal shows requests unless this is no',
    }),
  }),
} as const

export type TelephoneConfig = SettingsOf<typeof telephoneSettings>
export interface LoadedTelephoneConfig extends LoadedSettings<typeof telephoneSettings> {
  /** The label of the host that the Plugboard generates. Present only without a mount and a service. */
  readonly generatedHost?: string | undefined
}

interface TelephoneLoadOptions extends Pick<LoadOptions<typeof telephoneSettings>, 'flags' | 'env' | 'cwd'> {
  /**
   * True for commands that a person types: the token of a local Plugboard is found, and names are generated. A system service or
   * a container has both in its settings.
   */
  readonly personal?: boolean
}

/** Returns the settings. Throws SettingsError with all problems. */
export function loadTelephoneConfig({
  personal = false,
  cwd = process.cwd(),
  ...options
}: TelephoneLoadOptions = {}): LoadedTelephoneConfig {
  let filledIn: PersonalDefaults = {}
  const loaded = loadSettings(telephoneSettings, {
    ...options,
    cwd,
    prefix: VARIABLE_PREFIX,
    argumentKeys: personal ? ['target'] : [],
    check: config => {
      if (personal) filledIn = personalDefaults(config, cwd)
      const { generatedHost: _, ...values } = filledIn
      return checkTelephoneConfig({ ...config, ...values }, personal, personal ? localTokenFiles(cwd) : [])
    },
  })
  const { generatedHost, ...values } = filledIn
  const { tokenFile } = values
  if (tokenFile === undefined) return { ...loaded, values: { ...loaded.values, ...values }, generatedHost }
  const detail = secretFileProblem(tokenFile)
  return {
    values: { ...loaded.values, ...values },
    sources: loaded.sources,
    warnings: [...loaded.warnings, ...(detail === undefined ? [] : [{ source: tokenFile, detail }])],
    generatedHost,
  }
}

interface PersonalDefaults {
  readonly tokenFile?: string
  readonly service?: string
  readonly generatedHost?: string
}

function personalDefaults(config: TelephoneConfig, cwd: string): PersonalDefaults {
  const hasToken = config.token !== undefined || config.tokenFile !== undefined
  const tokenFile = hasToken ? undefined : findLocalToken(config.plugboard, cwd)
  const isNamed = config.mount !== undefined || config.service !== undefined || config.services !== undefined
  const generatedHost = isNamed ? undefined : generatedLabel()
  return {
    ...(tokenFile !== undefined && { tokenFile }),
    ...(generatedHost !== undefined && { generatedHost, service: generatedService(generatedHost) }),
  }
}

type Problem = { key: keyof TelephoneConfig; detail: string }

/** Returns the problems that depend on several settings. */
function checkTelephoneConfig(
  config: TelephoneConfig,
  personal: boolean,
  tokenFiles: readonly string[],
): Problem[] {
  const problems: Problem[] = [...otlpProblems(config)]
  if (config.token === undefined && config.tokenFile === undefined) {
    const tried = tokenFiles.length === 0 ? '' : `. A local Plugboard has one in ${tokenFiles.join(' or ')}`
    const detail = `is missing: set --token-file or TELEPHONE_TOKEN ("plugboard token issue" issues one)${tried}`
    problems.push({ key: 'token', detail })
  }
  if (config.inspect !== undefined && !isLoopbackHost(config.inspect.host)) {
    problems.push({ key: 'inspect', detail: 'must be a loopback address, such as 127.0.0.1:4040' })
  }
  for (const key of ['plugboardCa', 'tlsCa'] as const) {
    const problem = pemProblem(config[key])
    if (problem !== undefined) problems.push({ key, detail: problem })
  }
  if (config.services === undefined) {
    if (config.target === undefined) {
      const way = personal ? 'add it to the command, such as "3000"' : 'set --target'
      const detail = `is missing: ${way}, set TELEPHONE_TARGET, or list "services:" in the file`
      return [...problems, { key: 'target', detail }]
    }
    // The check above reports a file of CAs that cannot be read. This check depends only on the presence of `tlsCa`.
    const { service, problems: found } = inspectService({ ...singleService(config), tlsCa: config.tlsCa })
    problems.push(...found.map(({ field, message }) => ({ key: keyOfField(field), detail: message })))
    const loop = service && targetLoopProblem(service.target, config.plugboard)
    return loop === undefined ? problems : [...problems, { key: 'target', detail: loop }]
  }
  if (config.target !== undefined) {
    problems.push({ key: 'target', detail: 'cannot be set beside "services:" in the file' })
  }
  const names = new Set<string>()
  for (const [index, row] of config.services.entries()) {
    const { service, problems: found } = inspectService(serviceOptionsOf(row))
    for (const { field, message } of found) {
      problems.push({ key: 'services', detail: `[${index}].${field}: ${message}` })
    }
    if (service === undefined) continue
    if (names.has(service.service)) {
      problems.push({ key: 'services', detail: `[${index}]: "${service.service}" is listed twice` })
    }
    names.add(service.service)
    const loop = targetLoopProblem(service.target, config.plugboard)
    if (loop !== undefined) problems.push({ key: 'services', detail: `[${index}].target: ${loop}` })
  }
  return problems
}

/** Returns the options of telephone.ts from checked settings. */
export function telephoneOptions({
  values,
  sources,
  generatedHost,
}: LoadedTelephoneConfig): TelephoneOptions {
  const { plugboard, name, tunnels, followReplicas, drainTimeoutMs, dialTimeoutMs, plugboardCa } = values
  const { maxHeldBytes } = values
  return {
    plugboards: plugboard,
    token: tokenSource(values, sources.token, sources.tokenFile),
    services: servicesOf(values).map(service => (generatedHost ? { ...service, generatedHost } : service)),
    name,
    tunnels,
    followReplicas,
    drainTimeoutMs,
    dialTimeoutMs,
    maxHeldBytes,
    plugboardCa: plugboardCa === undefined ? undefined : readPem(plugboardCa),
  }
}

function servicesOf(config: TelephoneConfig): Service[] {
  if (config.services !== undefined) return config.services.map(row => parseService(serviceOptionsOf(row)))
  const tlsCa = config.tlsCa === undefined ? undefined : readPem(config.tlsCa)
  return [parseService({ ...singleService(config), tlsCa })]
}

function singleService(config: TelephoneConfig): ServiceOptions {
  const { target = '', serviceVersion, labels, ...rest } = config
  return {
    target,
    service: rest.service,
    mount: rest.mount,
    ephemeral: rest.ephemeral,
    mountLifetimeMs: rest.mountLifetimeMs,
    weight: rest.weight,
    version: serviceVersion,
    labels: Object.fromEntries(labels.map(label => label.split(/=(.*)/s, 2) as [string, string])),
    hostHeader: rest.hostHeader,
    tlsVerify: rest.tlsVerify,
    healthCheck: rest.healthCheck,
    healthIntervalMs: rest.healthIntervalMs,
    connectTimeoutMs: rest.connectTimeoutMs,
    keepAliveMs: rest.keepAliveMs,
    backendParsing: rest.backendParsing,
    maxConnections: rest.maxConnections,
    clientSharePercent: rest.clientSharePercent,
  }
}

const RANK = { flag: 3, variable: 2, file: 1, default: 0, none: 0 } as const

/** When both are set, the stronger source applies. For equal sources, the file applies, because it can be renewed. */
function tokenSource(config: TelephoneConfig, token: Source, tokenFile: Source): TokenSource {
  if (
    config.tokenFile !== undefined &&
    (config.token === undefined || RANK[tokenFile.kind] >= RANK[token.kind])
  ) {
    return { kind: 'file', path: config.tokenFile }
  }
  return { kind: 'text', token: config.token ?? '' }
}

function keyOfField(field: keyof ServiceOptions): keyof TelephoneConfig {
  return field === 'version' ? 'serviceVersion' : field
}

function plugboardProblem(text: string): string | undefined {
  try {
    tunnelUrl(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function pemProblem(path: string | undefined): string | undefined {
  try {
    if (path !== undefined) readPem(path)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function isLoopbackHost(host: string | undefined): boolean {
  const address = ipAddress(host ?? '')
  return host === 'localhost' || address === '::1' || address?.startsWith('127.') === true
}

function labelProblem(text: string): string | undefined {
  return /^[^=]{1,63}=.{0,255}$/.test(text) ? undefined : `"${text}" is not a label; expected key=value`
}
