// The filters of the change log. They are in the address of the page, with the names of the API.

import type { ChangeBody } from '../../../../admin/api-types.ts'
import { useAddress } from '../../shell/address.ts'
import { FilterBox } from '../../tables/filter-box.tsx'
import { FilterSelect } from '../../tables/filter-select.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'

/** The types require each kind and each action of the API. */
const ENTITIES: Readonly<Record<ChangeBody['entity'], string>> = {
  route: 'route',
  service: 'service',
  token: 'token',
  signing_key: 'signing key',
  admin_key: 'admin key',
  inspection: 'inspection',
  process_override: 'process override',
}
const ACTIONS: Readonly<Record<ChangeBody['action'], string>> = {
  created: 'created',
  updated: 'updated',
  deleted: 'deleted',
  restored: 'restored',
  revoked: 'revoked',
  retired: 'retired',
  purged: 'purged',
}
/** Filters of links to this page. They have no field. */
const LINKED = ['area', 'entityId', 'before', 'after'] as const
const NAMES = ['entity', 'action', 'route', 'service', 'actor', ...LINKED] as const

export function useChangeFilters(): Readonly<Record<string, string>> {
  const { filter } = useAddress()
  return Object.fromEntries(NAMES.map(name => [name, filter(name)]))
}

export function ChangeFilters({ filters }: { filters: Readonly<Record<string, string>> }) {
  const { setFilters } = useAddress()
  const select = (name: string, label: string, all: string, texts: Readonly<Record<string, string>>) => (
    <FilterSelect
      label={label}
      value={filters[name] ?? ''}
      options={[['', all], ...Object.entries(texts)]}
      onChange={value => setFilters({ [name]: value })}
    />
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
