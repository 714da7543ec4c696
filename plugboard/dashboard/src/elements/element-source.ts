// The connection of elements to one Plugboard: requests with the API key of the page, and one event stream that all elements with the
// same address and the same token function share, because browsers open only six connections to a host. The stream is closed while the
// page is hidden. After a failure it is opened again, later with each failure.

import { effect, signal, untracked } from '@preact/signals'
import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { TrafficSecond } from '../../../admin/api-types.ts'
import { LiveTraffic } from '../api/live-traffic.ts'
import { ApiError, errorOf, type Query, request } from '../api/request.ts'
import type { TrafficSource } from '../charts/traffic-source.ts'
import { type ReceivedEvent, readEventStream } from './event-stream-reader.ts'

/** Returns an API key, or a promise of one. */
export type TokenFunction = () => string | Promise<string>

export type SourceState =
  | { readonly name: 'connecting' | 'live' | 'paused' }
  /** `no-token`: the token function failed. `refused`: Plugboard responded with an error. */
  | { readonly name: 'no-token' | 'refused' | 'unreachable'; readonly error: ApiError }

/** A stream without any byte for this time is broken: Plugboard sends a comment every 15 s. */
const SILENT_MS = 40_000
const BACKOFF = { baseMs: 1000, capMs: 10_000 }
/** Shortest time between two attempts. */
const MIN_RETRY_MS = 500
/** Names of services that one stream may have. */
const MAX_SERVICES = 100

export class ElementSource implements TrafficSource {
  /** The URL of the admin port, without a slash at the end. */
  readonly base: string
  readonly state = signal<SourceState>({ name: 'connecting' })
  readonly live = new LiveTraffic()
  /** Increases when lines or rows have changed, and with each opening of the stream. */
  readonly changes = signal(0)
  readonly #token: TokenFunction
  #key: Promise<string> | undefined
  #users = 0
  #stop: (() => void) | undefined

  constructor(base: string, token: TokenFunction) {
    this.base = base
    this.#token = token
  }

  /** Opens the event stream for one element. Returns a function that closes it with its last element. */
  use(): () => void {
    this.#users += 1
    this.#stop ??= this.#start()
    return () => {
      this.#users -= 1
      if (this.#users > 0) return
      this.#stop?.()
      this.#stop = undefined
    }
  }

  async get<Body>(path: string, query: Query, signal: AbortSignal): Promise<Body> {
    return await this.#withKey(async bearer => {
      const { body } = await request<Body>('GET', this.base + path, { query, signal, bearer })
      return body
    })
  }

  /** Runs `send` with a key. When Plugboard rejects the key, asks once for another one: keys of pages are short-lived. */
  async #withKey<Result>(send: (key: string) => Promise<Result>): Promise<Result> {
    const used = this.#currentKey()
    try {
      return await send(await used)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || error.code === NO_TOKEN) throw error
      if (this.#key === used) this.#key = undefined
      return await send(await this.#currentKey())
    }
  }

  #currentKey(): Promise<string> {
    if (this.#key !== undefined) return this.#key
    const made = this.#newKey()
    this.#key = made
    made.catch(() => {
      if (this.#key === made) this.#key = undefined
    })
    return made
  }

  async #newKey(): Promise<string> {
    let key: unknown
    try {
      key = await this.#token()
    } catch (error) {
      throw noToken(
        `The property token of this element failed: ${error instanceof Error ? error.message : error}`,
      )
    }
    if (typeof key === 'string' && key !== '') return key
    throw noToken('The property token of this element returned no API key.')
  }

  /** Follows the stream while the page is visible, from the start again when other services are wanted. */
  #start(): () => void {
    const isHidden = signal(document.hidden)
    const onVisibility = (): void => {
      isHidden.value = document.hidden
    }
    document.addEventListener('visibilitychange', onVisibility)
    const dispose = effect(() => {
      const services = this.live.wanted.value.slice(0, MAX_SERVICES)
      const hidden = isHidden.value
      const running = new AbortController()
      // The effect must not depend on the signals that the stream reads and writes.
      untracked(() => {
        if (hidden) this.state.value = { name: 'paused' }
        else void this.#follow(services, running.signal)
      })
      return () => running.abort()
    })
    return () => {
      dispose()
      document.removeEventListener('visibilitychange', onVisibility)
    }
  }

  /** Reads the stream, and opens it again whenever it ends, until `stopped`. Never rejects. */
  async #follow(services: readonly string[], stopped: AbortSignal): Promise<void> {
    const backoff = new Backoff(BACKOFF)
    if (this.state.value.name === 'paused') this.state.value = { name: 'connecting' }
    while (!stopped.aborted) {
      let state: SourceState = { name: 'connecting' }
      try {
        await this.#readStream(services, stopped, () => backoff.reset())
      } catch (error) {
        state = stateOf(error)
      }
      if (stopped.aborted) return
      this.state.value = state
      await wait(backoff.next(MIN_RETRY_MS), stopped)
    }
  }

  async #readStream(services: readonly string[], stopped: AbortSignal, onOpen: () => void): Promise<void> {
    const silent = new AbortController()
    const signal = AbortSignal.any([stopped, silent.signal])
    let timer = setTimeout(() => silent.abort(), SILENT_MS)
    const query = services.length === 0 ? '' : `?services=${encodeURIComponent(services.join(','))}`
    try {
      const body = await this.#withKey(async key => await open(`${this.base}/v1/live${query}`, key, signal))
      onOpen()
      this.state.value = { name: 'live' }
      // Rows and lines may have changed while there was no stream.
      this.changes.value += 1
      await readEventStream(body, {
        onEvent: event => this.#onEvent(event),
        onBytes: () => {
          clearTimeout(timer)
          timer = setTimeout(() => silent.abort(), SILENT_MS)
        },
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #onEvent({ name, data }: ReceivedEvent): void {
    if (name === 'traffic') this.live.add(JSON.parse(data) as TrafficSecond)
    else if (name === 'lines' || name === 'change' || name === 'reset') this.changes.value += 1
  }
}

async function open(
  url: string,
  key: string,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const headers = { Accept: 'text/event-stream', Authorization: `Bearer ${key}` }
  const response = await fetch(url, { headers, signal, cache: 'no-store', credentials: 'omit' })
  if (response.ok && response.body !== null) return response.body
  throw await errorOf(response)
}

const NO_TOKEN = 'no_token'
const noToken = (detail: string): ApiError => new ApiError(401, { code: NO_TOKEN, detail })

/** For a page, a server that cannot be reached and a server that refuses the origin cause the same error. */
const UNREACHABLE =
  'Plugboard cannot be reached, or its setting dashboardOrigins does not list the origin of this page. Trying again.'

export function stateOf(error: unknown): SourceState {
  if (!(error instanceof ApiError) || error.status === 0)
    return { name: 'unreachable', error: new ApiError(0, { detail: UNREACHABLE }) }
  if (error.code === NO_TOKEN) return { name: 'no-token', error }
  return { name: error.status >= 500 ? 'unreachable' : 'refused', error }
}

/** Resolves after the time, or when `stopped`. */
function wait(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      stopped.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stopped.addEventListener('abort', done)
  })
}

const sources = new WeakMap<TokenFunction, Map<string, ElementSource>>()

/** Returns the source of all elements with this address and this token function. */
export function sourceOf(base: string, token: TokenFunction): ElementSource {
  const ofToken = sources.get(token) ?? new Map<string, ElementSource>()
  sources.set(token, ofToken)
  const source = ofToken.get(base) ?? new ElementSource(base, token)
  ofToken.set(base, source)
  return source
}
