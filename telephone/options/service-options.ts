// Checks the options of one service, from the YAML file, the flags or a caller of the library, and returns the service for
// telephone.ts. All checks of values are in this file, so that the same mistake has the same error everywhere.

import {
  formatMount,
  isHostWithPort,
  type ParsedMount,
  parseMount,
  parseServiceName,
  serviceNameOfMount,
} from '@vera-stack/shared/mounts.ts'
import { type HttpTarget, parseTarget, targetText } from '@vera-stack/shared/net/backend-target.ts'
import type { FetchHandler } from '../backend/forward/handler-forward.ts'
import { MAX_GRPC_SERVICE_LENGTH } from '../backend/health/grpc-health.ts'
import type { PoolOptions } from '../backend/http1/pool/pool.ts'
import { valueText } from './value-text.ts'

/** Limits of the protocol (control-schema.ts). */
const MAX_VERSION = 128
const MAX_LABELS = 64
const MAX_LABEL_KEY = 63
const MAX_LABEL_VALUE = 255
const HEALTH_CHECK = new RegExp(
  `^(?:tcp|grpc|grpc:[A-Za-z0-9_.-]{1,${MAX_GRPC_SERVICE_LENGTH}}|/[\\x21-\\x7e]*)$`,
)

/** Longest time that a timer of Node can wait, ms. */
const LONGEST_TIMER_MS = 0x7fff_ffff
const TEXTS = ['version', 'hostHeader', 'tlsCa', 'healthCheck'] as const
const FLAGS = ['ephemeral', 'tlsVerify'] as const
/** Options with their smallest and largest value. */
const NUMBERS = [
  ['healthIntervalMs', 1, LONGEST_TIMER_MS],
  ['connectTimeoutMs', 1, LONGEST_TIMER_MS],
  ['keepAliveMs', 0, LONGEST_TIMER_MS],
  ['maxConnections', 1, 65_535],
] as const

export interface ServiceOptions {
  /** Name of the service. Absent: derived from the mount. */
  readonly service?: string | undefined
  /** The mount to claim for the service, `host/path`. Absent: an administrator manages the routes. */
  readonly mount?: string | undefined
  /** True when Plugboard deletes the claimed mount some time after its last tunnel has ended (`ephemeralGrace` of Plugboard). */
  readonly ephemeral?: boolean | undefined
  /** How long Plugboard keeps the claimed mount after its last tunnel has ended, ms, 1 minute or more; absent: the mount stays. */
  readonly mountLifetimeMs?: number | undefined
  /**
   * A port, `host:port`, `http(s)://host:port`, `unix:/path.sock`; for HTTP/2 `h2c://host:port` (cleartext),
   * `h2://host:port` (TLS), `unix+h2c:/path.sock`; or a fetch handler in this process.
   */
  readonly target: string | number | URL | FetchHandler
  /** Share of the traffic, relative to the other telephones of the service: 0 to 1000, default 100. */
  readonly weight?: number | undefined
  /** Version of the backend. Plugboard shows it, and policies can use it. */
  readonly version?: string | undefined
  /** Up to 64 labels. Keys have up to 63 characters, values up to 255. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** `preserve` (default), `backend`, or a fixed value. */
  readonly hostHeader?: string | undefined
  /** False: accepts any certificate of an https or h2 backend. */
  readonly tlsVerify?: boolean | undefined
  /** PEM of the CAs to trust for an https or h2 backend. */
  readonly tlsCa?: string | undefined
  /** `tcp`, a path for GET, or `grpc` (also `grpc:<service>`) for the health service of a gRPC server. Absent: no check. */
  readonly healthCheck?: string | undefined
  readonly healthIntervalMs?: number | undefined
  readonly connectTimeoutMs?: number | undefined
  /** Default 4 s; 60 s for HTTP/2. */
  readonly keepAliveMs?: number | undefined
  /** Default 512; 64 for HTTP/2, because each connection carries many requests. */
  readonly maxConnections?: number | undefined
  /** `lenient`: accepts the inexact lines that RFC 9112 allows in the heads of an HTTP/1.1 backend. */
  readonly backendParsing?: 'strict' | 'lenient' | undefined
  /** The largest share of the connections to the backend that one client may hold, in percent: 1 to 100, default 75. */
  readonly clientSharePercent?: number | undefined
}

export interface Service extends Omit<ServiceOptions, 'service' | 'mount' | 'target'> {
  readonly service: string
  readonly mount: string | undefined
  /** Instead of `mount`: the first label of a host that the Plugboard completes. */
  readonly generatedHost?: string | undefined
  readonly target: HttpTarget | FetchHandler
  readonly pool: Partial<PoolOptions>
}

/** Thrown for a value of a service that cannot be used. `field`: its key in ServiceOptions. */
export class ServiceError extends Error {
  readonly field: keyof ServiceOptions

  constructor(field: keyof ServiceOptions, message: string) {
    super(message)
    this.name = 'ServiceError'
    this.field = field
  }
}

/** Returns the service. Throws ServiceError for the first value that cannot be used. */
export function parseService(options: ServiceOptions): Service {
  const { service, problems } = inspectService(options)
  if (service === undefined) throw problems[0]
  return service
}

/** Returns the service, or all problems of its options. */
export function inspectService(options: ServiceOptions): { service?: Service; problems: ServiceError[] } {
  const problems: ServiceError[] = []
  const wrong = (field: keyof ServiceOptions, message: string): undefined => {
    problems.push(new ServiceError(field, message))
  }
  const target = targetOf(options.target, wrong)
  const mount = parsed('mount', options.mount, parseMount, wrong)
  const given = parsed('service', options.service, parseServiceName, wrong)
  const name = given ?? (mount && serviceNameOfMount(mount))
  if (name === undefined && problems.every(({ field }) => field === 'target')) {
    wrong('service', 'needs a name (service) or a place (mount)')
  }
  if (!checkKinds(options, wrong)) return { problems }
  const { healthCheck, hostHeader, weight, labels = {} } = options
  if (healthCheck !== undefined && !HEALTH_CHECK.test(healthCheck)) {
    wrong('healthCheck', `"${healthCheck}" is not tcp, grpc, grpc:<service> or a path such as /health`)
  } else if (healthCheck?.startsWith('grpc') && typeof target === 'object' && !target.http2) {
    const instead = target.kind === 'tls' ? 'h2' : 'h2c'
    const text = target.kind === 'unix' ? `unix+h2c:${target.path}` : `${instead}://${target.authority}`
    wrong('healthCheck', `"${healthCheck}" needs a backend of HTTP/2: write its target as ${text}`)
  }
  if (healthCheck !== undefined && typeof target === 'function') {
    wrong('healthCheck', 'cannot be used for a function in this process. Remove it')
  }
  if (hostHeader !== undefined && !isHostWithPort(hostHeader)) {
    wrong('hostHeader', `"${hostHeader}" is not preserve, backend or a host with an optional port`)
  }
  if (typeof target === 'object') checkTls(target, options, wrong)
  const { backendParsing: parsing } = options
  if (parsing !== undefined && parsing !== 'strict' && parsing !== 'lenient') {
    wrong('backendParsing', `${valueText(parsing)} is not strict or lenient`)
  } else if (parsing === 'lenient' && (typeof target === 'function' || target?.http2 === true)) {
    wrong('backendParsing', 'has no effect here: it is for backends of HTTP/1.1. Remove it')
  }
  if (weight !== undefined && !(Number.isInteger(weight) && weight >= 0 && weight <= 1000)) {
    wrong('weight', `${valueText(weight)} is not a whole number from 0 to 1000`)
  }
  for (const [field, min, max] of NUMBERS) {
    const value = options[field]
    if (value === undefined || (Number.isFinite(value) && value >= min && value <= max)) continue
    wrong(field, `${valueText(value)} is not a number from ${min} to ${max}`)
  }
  const { mountLifetimeMs } = options
  if (mountLifetimeMs !== undefined && !(Number.isInteger(mountLifetimeMs) && mountLifetimeMs >= 60_000)) {
    wrong(
      'mountLifetimeMs',
      `${valueText(mountLifetimeMs)} is not a whole number of milliseconds from 60000 (1 minute) on`,
    )
  }
  const { clientSharePercent } = options
  if (clientSharePercent !== undefined && !isPercent(clientSharePercent)) {
    wrong('clientSharePercent', `${valueText(clientSharePercent)} is not a whole number from 1 to 100`)
  }
  const labelRows = Object.entries(labels)
  if (labelRows.length > MAX_LABELS)
    wrong('labels', `has ${labelRows.length} labels; at most ${MAX_LABELS} are allowed`)
  for (const [key, value] of labelRows) {
    if (key === '__proto__') wrong('labels', `"${key}" cannot be the key of a label`)
    if (key.length > MAX_LABEL_KEY || value.length > MAX_LABEL_VALUE)
      wrong(
        'labels',
        `"${key}" is too long: keys have up to ${MAX_LABEL_KEY} characters, values ${MAX_LABEL_VALUE}`,
      )
  }
  if (problems.length > 0 || name === undefined || target === undefined) return { problems }
  const { connectTimeoutMs, keepAliveMs, maxConnections, backendParsing } = options
  const pool = {
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(backendParsing !== undefined && { backendParsing }),
    ...(clientSharePercent !== undefined && { clientSharePercent }),
  }
  return {
    service: { ...options, service: name, mount: mount && formatMount(mount), target, pool },
    problems,
  }
}

/** True when each value has the type of its option. Callers in JavaScript have no types, and a wrong type would end the tunnel. */
function checkKinds(options: ServiceOptions, wrong: Wrong): boolean {
  let right = true
  const check = (field: keyof ServiceOptions, isRight: boolean, kind: string): void => {
    if (isRight) return
    right = false
    wrong(field, `${valueText(options[field])} is not ${kind}`)
  }
  for (const field of TEXTS) {
    check(field, options[field] === undefined || typeof options[field] === 'string', 'a text')
  }
  for (const field of FLAGS) {
    check(field, options[field] === undefined || typeof options[field] === 'boolean', 'true or false')
  }
  const { labels, version = '' } = options
  check('labels', labels === undefined || isRecordOfTexts(labels), 'an object whose values are texts')
  check('version', version.length <= MAX_VERSION, `a text of up to ${MAX_VERSION} characters`)
  return right
}

function isRecordOfTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every(each => typeof each === 'string')
}

/** Reports TLS options of an HTTP/2 target without TLS, because only the scheme of such a target selects TLS. */
function checkTls(target: HttpTarget, { tlsCa, tlsVerify }: ServiceOptions, wrong: Wrong): void {
  if (!target.http2 || target.kind === 'tls' || (tlsCa === undefined && tlsVerify !== false)) return
  const instead = target.kind === 'tcp' ? `; for TLS write h2://${target.authority}` : ''
  wrong(
    tlsCa === undefined ? 'tlsVerify' : 'tlsCa',
    `has no effect on ${targetText(target)}, which has no TLS${instead}`,
  )
}

function isPercent(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 100
}

type Wrong = (field: keyof ServiceOptions, message: string) => undefined

function parsed<T>(
  field: keyof ServiceOptions,
  text: unknown,
  parse: (text: string) => ParsedMount<T>,
  wrong: Wrong,
): T | undefined {
  if (text === undefined || text === '') return undefined
  if (typeof text !== 'string') return wrong(field, `${valueText(text)} is not a text`)
  const result = parse(text)
  return result.ok ? result.value : wrong(field, result.problem)
}

const TARGETS = 'Give a port, host:port, a URL, unix:/path.sock, or a fetch handler.'

function targetOf(target: unknown, wrong: Wrong): Service['target'] | undefined {
  if (typeof target === 'function') return fetchHandler(target as FetchHandler, wrong)
  if (target === undefined || target === null || target === '')
    return wrong('target', `is missing. ${TARGETS}`)
  if (typeof target === 'object' && !(target instanceof URL)) {
    if ('fetch' in target && typeof target.fetch === 'function') {
      return wrong('target', 'is an object with a fetch method. Pass that method: target: app.fetch')
    }
    return wrong('target', `is an object. ${TARGETS} For a server of node:http, give its port.`)
  }
  if (typeof target === 'number' && !(Number.isInteger(target) && target >= 1 && target <= 65_535)) {
    return wrong('target', `"${target}" has no usable port: a port is 1 to 65535`)
  }
  if (!(target instanceof URL) && typeof target !== 'string' && typeof target !== 'number') {
    return wrong('target', `${valueText(target)} is not a target. ${TARGETS}`)
  }
  try {
    return parseTarget(String(target))
  } catch (error) {
    return wrong('target', error instanceof Error ? error.message : String(error))
  }
}

/** The smallest number of parameters of a node:http handler: `(req, res)`. A fetch handler gets one argument, the Request. */
const NODE_HANDLER_PARAMETERS = 2

function fetchHandler(handler: FetchHandler, wrong: Wrong): FetchHandler | undefined {
  if (handler.length < NODE_HANDLER_PARAMETERS) return handler
  return wrong(
    'target',
    `is a function with ${handler.length} parameters, as the (req, res) handlers of node:http and Express. A fetch ` +
      'handler has one: (request) => Response. Start a server with the (req, res) handler and give its port; wrap a fetch ' +
      'handler with more parameters: request => handler(request, …)',
  )
}
