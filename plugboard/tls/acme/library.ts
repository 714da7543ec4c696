// The ACME client library, loaded when it is needed, with its requests made by Node's own fetch: so that each has a
// deadline and ends with the process, and no retry happens behind our back.

import type * as Library from 'acme-client'

export type AcmeLibrary = Pick<typeof Library, 'Client' | 'crypto' | 'axios'>

const REQUEST_TIMEOUT_MS = 30_000

/** What the library's HTTP client asks of an adapter; the rest of axios is not used. */
interface Outgoing {
  readonly url?: string
  readonly method?: string
  readonly data?: string
  readonly headers: { toJSON(): Record<string, unknown> }
}

/** `signal`: ends requests under way. One per process: the library has one HTTP client for all. */
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
