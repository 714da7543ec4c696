// The services whose traffic the list shows: those on the screen. Rows that a person scrolls past are not read.

import { signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { ServiceBody } from '../../../../admin/api-types.ts'

/** While a person scrolls, the set stays. */
const WAIT_MS = 200
/** The live stream has the points of so many services. */
const MAX_SHOWN = 100

export class ShownServices {
  /** Names. */
  readonly names = signal<ReadonlySet<string>>(new Set())
  /** By name: the time of the newest request in the traffic. Null: the traffic has no request. Absent: the traffic is not known. */
  readonly seen = signal<ReadonlyMap<string, string | null>>(new Map())
  #wait: ReturnType<typeof setTimeout> | undefined

  /** Call with the rows on the screen when they change. */
  readonly show = (rows: readonly ServiceBody[]): void => {
    clearTimeout(this.#wait)
    const names = new Set(rows.slice(0, MAX_SHOWN).map(({ name }) => name))
    this.#wait = setTimeout(
      () => {
        const before = this.names.value
        if (names.size !== before.size || [...names].some(name => !before.has(name))) this.names.value = names
      },
      this.names.value.size === 0 ? 0 : WAIT_MS,
    )
  }

  see(name: string, at: string | null): void {
    if (this.seen.value.get(name) !== at) this.seen.value = new Map(this.seen.value).set(name, at)
  }

  stop(): void {
    clearTimeout(this.#wait)
  }
}

export function useShownServices(): ShownServices {
  const shown = useMemo(() => new ShownServices(), [])
  useEffect(() => () => shown.stop(), [shown])
  return shown
}
