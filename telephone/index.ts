// The Telephone as a library: a service of this process, or one beside it, on a Plugboard, without a process more.
//
//   const telephone = await connect({ plugboard: 'https://proxy.example.com', token, service: 'web', target: app.fetch })

import { hostname } from 'node:os'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { TelephoneListener } from './events.ts'
import { parseService, type Service, ServiceError, type ServiceOptions } from './service-options.ts'
import { targetLoopProblem } from './target-loop.ts'
import { Telephone, type TelephoneOptions } from './telephone.ts'
import type { TokenSource } from './token-store.ts'

export { resolveTenant } from '@vera-stack/shared/tenant.ts'
export type { AnnouncedService, TelephoneEvent, TelephoneListener } from './events.ts'
export type { FetchHandler } from './forward/handler-forward.ts'
export type { ServiceOptions } from './service-options.ts'
export type { TunnelStatus } from './telephone.ts'
export { Telephone, VeraError }

export interface ConnectSettings
  extends Pick<
    TelephoneOptions,
    | 'name'
    | 'tunnels'
    | 'followReplicas'
    | 'drainTimeoutMs'
    | 'dialTimeoutMs'
    | 'plugboardCa'
    | 'maxHeldBytes'
    | 'reportExchanges'
    | 'env'
  > {
  /** `https://proxy.example.com`, or several of which any will do. */
  readonly plugboard: string | readonly string[]
  /** The token, or `{ file }`: read again at each connection, and written when renewed. */
  readonly token: string | { readonly file: string } | undefined
  /** Called with everything that happens, from the first dial on. */
  readonly onEvent?: TelephoneListener
  /** Gives up waiting for the first connection, or closes the Telephone later. */
  readonly signal?: AbortSignal
}

/** One service, its options beside the others, or several under `services`. */
export type ConnectOptions = ConnectSettings &
  (ServiceOptions | { readonly services: readonly ServiceOptions[] })

/**
 * Resolves when the first tunnel is ready and Plugboard has accepted at least one of the services. Waits for a
 * Plugboard that cannot be reached, as long as `signal` lets it. Rejects with VeraError:
 * `invalid_request` (an option cannot be used; `field` names it), `unauthorized` or `forbidden` (the token is
 * refused, or does not reach as far as the services).
 */
export async function connect(options: ConnectOptions): Promise<Telephone> {
  const { signal, onEvent } = options
  signal?.throwIfAborted()
  const telephone = new Telephone(read(options))
  if (onEvent !== undefined) telephone.subscribe(onEvent)
  const refused = Promise.withResolvers<never>()
  const unsubscribe = telephone.subscribe(event => {
    if (event.kind !== 'dial_failed' || !event.error.unauthorized) return
    const code = event.error.status === 401 ? 'unauthorized' : 'forbidden'
    refused.reject(new VeraError(code, event.error.message, { cause: event.error }))
  })
  const abort = (): void => {
    refused.reject(signal?.reason)
    void telephone.close(0)
  }
  signal?.addEventListener('abort', abort, { once: true })
  // A signal may live as long as the process, and outlive many Telephones.
  telephone.subscribe(event => {
    if (event.kind === 'closed') signal?.removeEventListener('abort', abort)
  })
  telephone.start()
  try {
    const results = await Promise.race([telephone.announced, refused.promise])
    if (!results.some(result => result.accepted)) {
      throw new VeraError(
        'forbidden',
        results.map(({ service, detail }) => `${service}: ${detail}`).join('; '),
      )
    }
    return telephone
  } catch (error) {
    await telephone.close(0)
    throw error
  } finally {
    unsubscribe()
  }
}

function read(options: ConnectOptions): TelephoneOptions {
  const { plugboard } = options
  try {
    const services = ('services' in options ? options.services : [options]).map(parseService)
    if (services.length === 0) throw new ServiceError('service', 'there is no service to connect')
    const plugboards = typeof plugboard === 'string' ? [plugboard] : plugboard
    for (const { target } of services) {
      const loop = targetLoopProblem(target, plugboards)
      if (loop !== undefined) throw new ServiceError('target', loop)
    }
    return {
      ...options,
      plugboards,
      token: tokenOf(options.token),
      services,
      name: options.name ?? processName(services),
    }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    throw new VeraError('invalid_request', error.message, { field: error.field, cause: error })
  }
}

function tokenOf(token: ConnectSettings['token']): TokenSource {
  if (typeof token === 'object') return { kind: 'file', path: token.file }
  if (token !== undefined && token !== '') return { kind: 'text', token }
  throw new VeraError('invalid_request', 'a token is needed; "plugboard token issue" makes one', {
    field: 'token',
  })
}

/** Several processes of one program on one host are the rule here (workers), so each gets a name of its own. */
function processName(services: readonly Service[]): string {
  return [hostname(), services[0]?.service, process.pid].join('-')
}
