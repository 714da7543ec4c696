// The filters of the change log. They are in the address of the page, with the names of the API.

import type { ChangeBody } from '../../../../admin/api-types.ts'
import { useAddress } from '../../shell/address.ts'
import { FilterBox } from '../../tables/filter-box.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'

const ENTITIES = [
  'route',
  'service',
  'token',
  'signing_key',
  'admin_key',
  'inspection',
  'process_override',
] as const satisfies readonly ChangeBody['entity'][]
const ACTIONS = [
  'created',
  'updated',
  'deleted',
  'restored',
  'revoked',
  'retired',
  'purged',
] as const satisfies readonly ChangeBody['action'][]
/** Filters of links to this page. They have no field. */
const LINKED = ['area', 'entityId', 'before', 'after'] as const
const NAMES = ['entity', 'action', 'route', 'service', 'actor', ...LINKED] as const

export function useChangeFilters(): Readonly<Record<string, string>> {
  const { filter } = useAddress()
  return Object.fromEntries(NAMES.map(name => [name, filter(name)]))
}

export function ChangeFilters({ filters }: { filters: Readonly<Record<string, string>> }) {
  const { setFilters } = useAddress()
  const select = (name: string, label: string, all: string, values: readonly string[]) => (
    <select
      aria-label={label}
      value={filters[name]}
      onChange={event => setFilters({ [name]: event.currentTarget.value })}
    >
      <option value="">{all}</option>
      {values.map(value => (
        <option key={value} value={value}>
          {value.replace('_', ' ')}
        </option>
      ))}
    </select>
  )
  const text = (name: string, label: string, placeholder = label) => (
    <TextFilter
      label={label}
      placeholder={placeholder}
      value={filters[name] ?? ''}
      onChange={value => setFilters({ [name]: value })}
    />
  )
  return (
    <FilterBox active={Object.values(filters).filter(value => value !== '').length}>
      {select('entity', 'Kind of row', 'all kinds', ENTITIES)}
      {select('action', 'Action', 'all actions', ACTIONS)}
      {text('route', 'Route: mount or id', 'Route')}
      {text('service', 'Service')}
      {text('actor', 'Actor')}
      {LINKED.filter(name => filters[name] !== '').map(name => (
        <button key={name} type="button" onClick={() => setFilters({ [name]: '' })}>
          {LINKED_TEXTS[name]} {filters[name]?.slice(0, 8)} ×
          <span class="hidden-text">, remove this filter</span>
        </button>
      ))}
    </FilterBox>
  )
}

const LINKED_TEXTS: Readonly<Record<(typeof LINKED)[number], string>> = {
  area: 'area',
  entityId: 'row',
  before: 'before change',
  after: 'after change',
}
