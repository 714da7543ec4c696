// The traffic of the routes that are on the screen: read every 10 s, and soon after other routes come into view. Each cell reads its own
// signal, so new numbers update only the cells.

import { type Signal, signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { RouteTrafficBody, RouteTrafficItem } from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { newestRequest } from '../../parts/last-request.tsx'

/** The API has new points each 10 s. */
const EVERY_MS = 10_000
/** While a person scrolls, nothing is read. */
const WAIT_MS = 200
/** Routes of one request. */
const MAX_ROUTES = 100
/** Routes whose numbers the page keeps. */
const MAX_KEPT = 2000

/** 'unknown': the numbers have not been read yet. */
export type RouteNumbers = (RouteTrafficItem & NewestRequest) | 'unknown'

interface NewestRequest {
  /** Of the last 10 minutes; null: there was none. Undefined: the requests of the route are not counted. */
  readonly newestAt: string | null | undefined
}

export class RouteTrafficReader {
  readonly #numbers = new Map<string, Signal<RouteNumbers>>()
  #shown: readonly string[] = []
  #wait: ReturnType<typeof setTimeout> | undefined
  #reading: AbortController | undefined

  numbersOf(id: string): Signal<RouteNumbers> {
    const known = this.#numbers.get(id)
    if (known !== undefined) return known
    const created = signal<RouteNumbers>('unknown')
    this.#numbers.set(id, created)
    return created
  }

  /** Call with the routes on the screen when they change. */
  readonly show = (rows: readonly { readonly id: string }[]): void => {
    this.#shown = rows.slice(0, MAX_ROUTES).map(({ id }) => id)
    clearTimeout(this.#wait)
    this.#wait = setTimeout(() => void this.read(), WAIT_MS)
  }

  /** Never rejects: without a response, the numbers on the screen stay. */
  async read(): Promise<void> {
    if (document.hidden || this.#shown.length === 0) return
    this.#reading?.abort()
    const reading = new AbortController()
    this.#reading = reading
    try {
      const ids = this.#shown.join(',')
      const body = await get<RouteTrafficBody>('/v1/traffic/routes', { ids }, reading.signal)
      const [from, intervalMs] = [Date.parse(body.from), body.resolution * 1000]
      for (const item of body.items) {
        const newestAt = item.counted ? newestRequest(item.requests, from, intervalMs) : undefined
        this.numbersOf(item.id).value = { ...item, newestAt }
      }
    } catch {
      return
    }
    if (this.#numbers.size > MAX_KEPT) this.#forget()
  }

  stop(): void {
    clearTimeout(this.#wait)
    this.#reading?.abort()
  }

  #forget(): void {
    const shown = new Set(this.#shown)
    for (const id of this.#numbers.keys()) {
      if (this.#numbers.size <= MAX_KEPT / 2) return
      if (!shown.has(id)) this.#numbers.delete(id)
    }
  }
}

export function useRouteTraffic(): RouteTrafficReader {
  const reader = useMemo(() => new RouteTrafficReader(), [])
  useEffect(() => {
    const timer = setInterval(() => void reader.read(), EVERY_MS)
    return () => {
      clearInterval(timer)
      reader.stop()
    }
  }, [reader])
  return reader
}
