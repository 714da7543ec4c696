// The ACME client library, which is loaded when it is needed. Its requests are sent with Node's own fetch, so that each request
// has a deadline, is aborted when the process stops, and is not retried by the library.

import type * as Library from 'acme-client'

export type AcmeLibrary = Pick<typeof Library, 'Client' | 'crypto' | 'axios'>

const REQUEST_TIMEOUT_MS = 30_000

/** The part of an axios request that the adapter below reads. */
interface Outgoing {
  readonly url?: string
  readonly method?: string
  readonly data?: string
  readonly headers: { toJSON(): Record<string, unknown> }
}

/**
 * Loads the library. `signal`: aborts running requests. A process must use only one signal, because the library has one global
 * HTTP client.
 */
export async function loadAcmeLibrary(signal: AbortSignal): Promise<AcmeLibrary> {
  const { default: library } = await import('acme-client')
  const adapter = async (config: Outgoing) => {
    const headers = Object.entries(config.headers.toJSON())
    const response = await fetch(config.url ?? '', {
      method: (config.method ?? 'get').toUpperCase(),
      headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
      body: config.data ?? null,
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    })
    return {
      data: await response.text(),
      status: response.status,
      statusText: response.statusText,
      headers: Object.fromEntries(response.headers),
      config,
      request: undefined,
    }
  }
  Object.assign(library.axios.defaults, { adapter })
  return library
}
