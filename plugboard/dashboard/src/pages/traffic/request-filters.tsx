// The filters of requests, as `plugboard logs` and `plugboard inspect` have them. They are in the address of the page.

import { useAddress } from '../../shell/address.ts'
import { TextFilter } from '../../tables/text-filter.tsx'

const FILTERS = [
  ['service', 'Service'],
  ['route', 'Route: mount or id'],
  ['status', 'Status, such as 5xx,404'],
  ['method', 'Method'],
  ['path', 'Path, such as /api'],
  ['telephone', 'Telephone'],
  ['replica', 'Replica'],
] as const
type Filter = (typeof FILTERS)[number][0]

/** Returns the filters of the address. `without`: filters that the list does not have. */
export function useRequestFilters(...without: readonly Filter[]): Readonly<Record<string, string>> {
  const { filter } = useAddress()
  return Object.fromEntries(
    FILTERS.filter(([name]) => !without.includes(name)).map(([name]) => [name, filter(name)]),
  )
}

export function RequestFilters({ filters }: { filters: Readonly<Record<string, string>> }) {
  const { setFilters } = useAddress()
  const shown = FILTERS.filter(([name]) => name in filters)
  const isSet = shown.some(([name]) => filters[name] !== '')
  return (
    <search class="filters">
      {shown.map(([name, label]) => (
        <TextFilter
          key={name}
          label={label}
          value={filters[name] ?? ''}
          onChange={value => setFilters({ [name]: value })}
        />
      ))}
      {isSet && (
        <button
          type="button"
          class="plain"
          onClick={() => setFilters(Object.fromEntries(shown.map(([name]) => [name, ''])))}
        >
          Clear
        </button>
      )}
    </search>
  )
}
