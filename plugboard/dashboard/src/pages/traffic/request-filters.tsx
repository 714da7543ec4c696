// The filters of requests, as `plugboard logs` and `plugboard inspect` have them. They are in the address of the page.

import { useAddress } from '../../shell/address.ts'
import { FilterBox } from '../../tables/filter-box.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'

const FILTERS = [
  ['service', 'Service', 'Service'],
  ['route', 'Route: mount or id', 'Route'],
  ['status', 'Status, such as 5xx,404', '5xx,404'],
  ['method', 'Method', 'Method'],
  ['path', 'Path, such as /api', '/path'],
  ['telephone', 'Telephone', 'Telephone'],
  ['replica', 'Replica', 'Replica'],
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
  const active = shown.filter(([name]) => filters[name] !== '').length
  return (
    <FilterBox active={active}>
      {shown.map(([name, label, placeholder]) => (
        <TextFilter
          key={name}
          label={label}
          placeholder={placeholder}
          value={filters[name] ?? ''}
          onChange={value => setFilters({ [name]: value })}
        />
      ))}
      {active > 0 && (
        <button
          type="button"
          class="plain"
          onClick={() => setFilters(Object.fromEntries(shown.map(([name]) => [name, ''])))}
        >
          Clear
        </button>
      )}
    </FilterBox>
  )
}
