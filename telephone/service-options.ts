// One service as the outside gives it (a row of the YAML file, flags, the library's caller) → what the Telephone
// works with. All checks of a service's values are here, so that every way in says the same.

import { formatMount, parseMount, parseServiceName, serviceNameOfMount } from '@vera-stack/shared/mounts.ts'
import type { FetchHandler } from './forward/handler-forward.ts'
import type { PoolOptions } from './http1/pool.ts'
import { type HttpTarget, parseTarget } from './http1/target.ts'

export interface ServiceOptions {
  /** Name of the service; absent: made from the mount. */
  readonly service?: string | undefined
  /** `host/path` to claim for it; absent: routes are managed elsewhere. */
  readonly mount?: string | undefined
  /** A port, `host:port`, `http(s)://host:port`, `unix:/path.sock`, or a fetch handler in this process. */
  readonly target: string | number | URL | FetchHandler
  /** Share of the traffic, relative to the other telephones of the service: 0 to 1000, default 100. */
  readonly weight?: number | undefined
  /** Version of the backend, shown and usable in policies. */
  readonly version?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** `preserve` (default), `backend`, or a fixed value. */
  readonly hostHeader?: string | undefined
  /** False: take any certificate of an https backend. */
  readonly tlsVerify?: boolean | undefined
  /** PEM of the CAs of an https backend. */
  readonly tlsCa?: string | undefined
  /** `tcp`, or a path for GET; absent: no check. */
  readonly healthCheck?: string | undefined
  readonly healthIntervalMs?: number | undefined
  readonly connectTimeoutMs?: number | undefined
  readonly keepAliveMs?: number | undefined
  readonly maxConnections?: number | undefined
}

export interface Service extends Omit<ServiceOptions, 'service' | 'mount' | 'target'> {
  readonly service: string
  readonly mount: string | undefined
  readonly target: HttpTarget | FetchHandler
  readonly pool: Partial<PoolOptions>
}

/** A value of a service cannot be used. `field` is its key in ServiceOptions. */
export class ServiceError extends Error {
  readonly field: keyof ServiceOptions

  constructor(field: keyof ServiceOptions, message: string) {
    super(message)
    this.name = 'ServiceError'
    this.field = field
  }
}

/** Throws ServiceError at the first value that cannot be used. */
export function parseService(options: ServiceOptions): Service {
  const mount = parsed('mount', options.mount, parseMount)
  const given = parsed('service', options.service, parseServiceName)
  const service = given ?? (mount && serviceNameOfMount(mount))
  if (service === undefined) throw new ServiceError('service', 'needs a name (service) or a place (mount)')
  const target = targetOf(options.target)
  const { healthCheck, hostHeader, weight } = options
  if (healthCheck !== undefined && healthCheck !== 'tcp' && !/^\/[\x21-\x7e]*$/.test(healthCheck)) {
    throw new ServiceError('healthCheck', `"${healthCheck}" is neither tcp nor a path such as /health`)
  }
  if (healthCheck !== undefined && typeof target === 'function') {
    throw new ServiceError('healthCheck', 'a function in this process has no health to check')
  }
  if (hostHeader !== undefined && !/^[\x21-\x7e]+$/.test(hostHeader)) {
    throw new ServiceError('hostHeader', `"${hostHeader}" is none of preserve, backend or a host name`)
  }
  if (weight !== undefined && !(Number.isInteger(weight) && weight >= 0 && weight <= 1000)) {
    throw new ServiceError('weight', `${weight} is not a whole number from 0 to 1000`)
  }
  const { connectTimeoutMs, keepAliveMs, maxConnections } = options
  return {
    ...options,
    service,
    mount: mount && formatMount(mount),
    target,
    pool: {
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
      ...(keepAliveMs !== undefined && { keepAliveMs }),
      ...(maxConnections !== undefined && { maxConnections }),
    },
  }
}

type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

function parsed<T>(
  field: keyof ServiceOptions,
  text: string | undefined,
  parse: (text: string) => Parsed<T>,
): T | undefined {
  if (text === undefined || text === '') return undefined
  const result = parse(text)
  if (!result.ok) throw new ServiceError(field, result.problem)
  return result.value
}

function targetOf(target: ServiceOptions['target']): HttpTarget | FetchHandler {
  if (typeof target === 'function') return target
  try {
    return parseTarget(String(target))
  } catch (error) {
    throw new ServiceError('target', error instanceof Error ? error.message : String(error))
  }
}
