// The address of the page: its path below /dashboard/, and its filters in the query.

import { useLocation } from 'preact-iso'

export const BASE = '/dashboard'

/** `path`: below /dashboard, such as `/routes/<id>`. */
export const hrefOf = (path: string): string => `${BASE}${path}`

export interface Address {
  /** Returns the value of a filter; empty without it. */
  readonly filter: (name: string) => string
  /** Changes filters without a new entry in the history. An empty value removes the filter. */
  readonly setFilters: (values: Readonly<Record<string, string>>) => void
  /** Goes to a path, and keeps the filters. `without`: filters that belong to the page that is left. */
  readonly go: (path: string, without?: readonly string[]) => void
}

export function useAddress(): Address {
  const { path, query, route } = useLocation()
  const search = (values: Readonly<Record<string, string>>): string => {
    const parameters = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ''))
    return parameters.size === 0 ? '' : `?${parameters}`
  }
  return {
    filter: name => query[name] ?? '',
    setFilters: values => route(path + search({ ...query, ...values }), true),
    go: (to, without = []) =>
      route(hrefOf(to) + search({ ...query, ...Object.fromEntries(without.map(name => [name, ''])) })),
  }
}
