// The Telephone as a library: `connect()` exposes a function of this process, or a server beside it, through a Plugboard. It needs
// no other process.
//
//   const telephone = await connect({ plugboard: 'https://proxy.example.com', token, service: 'web', target: app.fetch })

import type { VeraError } from '@vera-stack/shared/errors.ts'
import { type ConnectOptions, readConnectOptions } from './options/connect-options.ts'
import { sentence } from './sentence.ts'
import { Telephone } from './telephone.ts'
import type { TelephoneHandle } from './telephone-handle.ts'
import { RefusalWatch } from './tunnel/refusal-watch.ts'

export { type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
export { collectBodyMemory } from '@vera-stack/shared/process/body-memory.ts'
export { resolveTenant } from '@vera-stack/shared/tenant.ts'
export type { FetchHandler } from './backend/forward/handler-forward.ts'
export type {
  AnnouncedService,
  BackendCauseCode,
  BackendFailure,
  DialFailure,
  ExchangeSummary,
  FailureReport,
  HealthOutage,
  Reason,
  TelephoneEvent,
  TelephoneListener,
} from './events.ts'
export type { ConnectOptions, ConnectSettings, HandlerFailure } from './options/connect-options.ts'
export type { ServiceOptions } from './options/service-options.ts'
export type { TelephoneSettings } from './options/telephone-settings.ts'
export type { TelephoneHandle, TunnelStatus } from './telephone-handle.ts'

/**
 * Resolves when the first tunnel is ready and Plugboard has accepted at least one of the services. While no Plugboard can be
 * reached, it waits until `signal` aborts. Rejects with VeraError when only a person can correct the cause:
 *
 * - `invalid_request`: an option has a value that cannot be used; `field` names it. Field `token`: the token cannot be
 *   read. Field `plugboard`: no Plugboard responds at this address, or its certificate is refused.
 * - `token_expired`, `token_revoked`, `unauthorized`, `forbidden`: Plugboard refuses the token.
 * - `forbidden`, `mount_conflict`, `token_claim_limit` and others: Plugboard refuses each of the services.
 */
export async function connect(options: ConnectOptions): Promise<TelephoneHandle> {
  const { telephone: telephoneOptions, onEvent, onHandlerError, signal } = readConnectOptions(options)
  signal?.throwIfAborted()
  const telephone = new Telephone(telephoneOptions)
  const watch = new RefusalWatch(telephone, telephoneOptions.plugboards)
  if (onEvent !== undefined) telephone.subscribe(onEvent)
  telephone.subscribe(event => {
    if (event.kind === 'handler_failed') onHandlerError(event.error, event)
  })
  const stopWarning = onEvent === undefined ? warnOnce(telephone) : undefined
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => {
    aborted.reject(signal?.reason)
    void telephone.close(0)
  }
  signal?.addEventListener('abort', abort, { once: true })
  telephone.subscribe(event => {
    // A signal may exist as long as the process, and longer than many Telephones.
    if (event.kind === 'closed') signal?.removeEventListener('abort', abort)
  })
  const accepted = Promise.withResolvers<void>()
  const unsubscribe = telephone.subscribe(event => {
    if (event.kind === 'announced' && event.results.some(result => result.accepted)) accepted.resolve()
  })
  telephone.start()
  try {
    const refusal = await Promise.race([accepted.promise, watch.refused, aborted.promise])
    if (refusal !== undefined) throw refusal.error satisfies VeraError
    return telephone
  } catch (error) {
    await telephone.close(0)
    throw error
  } finally {
    unsubscribe()
    watch.stop()
    stopWarning?.()
  }
}

/** Writes one warning when `connect` has to wait, for callers without `onEvent`, because the wait may have no end. */
function warnOnce(telephone: Telephone): () => void {
  const unsubscribe = telephone.subscribe(event => {
    if (event.kind !== 'dial_failed' || event.error.permanent) return
    unsubscribe()
    console.warn(`telephone: ${event.url}: ${sentence(event.error.message)} connect() keeps trying.`)
  })
  return unsubscribe
}
