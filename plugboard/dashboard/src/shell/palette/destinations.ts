// The places that the search can open: pages and parts of pages, rows of the API, a request by its id, and the route of a URL.

import type {
  KeyBody,
  RouteBody,
  ServiceBody,
  TelephonePageBody,
  TokenBody,
} from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { may } from '../../session/session.ts'
import type { ListPage } from '../../tables/use-list.ts'
import { hrefOf } from '../address.ts'
import { PAGES } from '../navigation.tsx'
import { fuzzyScore } from './fuzzy.ts'

export interface Destination {
  readonly href: string
  readonly text: string
  /** Such as `route`. */
  readonly kind: string
}

const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{0,32}$/i
const HOST_AND_PATH = /^[\w*-]+(?:\.[\w-]+)+(?::\d{1,5})?(?:\/\S*)?$/

const PLACES: readonly Destination[] = [
  ...PAGES.map(([to, name]) => ({ href: hrefOf(to), text: name, kind: 'page' })),
  { href: hrefOf('/traffic?view=failures'), text: 'Failed or slow requests', kind: 'page' },
  { href: hrefOf('/traffic/inspector'), text: 'Inspector', kind: 'page' },
  { href: hrefOf('/access'), text: 'Tokens of telephones', kind: 'access' },
  { href: hrefOf('/access?tab=keys'), text: 'API keys', kind: 'access' },
  { href: hrefOf('/access?tab=signing'), text: 'Signing keys', kind: 'access' },
]

/** Returns the places that match, the best first. `rows`: results of the server. They may belong to an earlier text. */
export function destinationsFor(text: string, rows: readonly Destination[]): readonly Destination[] {
  return distinct([...directDestinations(text), ...ranked(text, [...PLACES, ...rows])])
}

function directDestinations(text: string): Destination[] {
  if (REQUEST_ID.test(text)) return [{ href: hrefOf(`/traffic/${text}`), text, kind: 'explain this request' }]
  const isUrl = /^https?:\/\/\S/.test(text)
  if (!isUrl && !HOST_AND_PATH.test(text)) return []
  return [{ href: hrefOf(`/routes?url=${encodeURIComponent(text)}`), text, kind: 'show its route' }]
}

const isExact = (text: string): boolean => REQUEST_ID.test(text) || /^https?:/.test(text)

/** The longest text that each list accepts. */
const MAX_SEARCH = 63
/** Rows of each list. The server finds them, because there may be 100,000 routes. */
const FOUND_ROWS = 50
const SHOWN_ROWS = 6

/** Resolves with the rows that fit. Rejects with ApiError. */
export async function foundDestinations(text: string, signal: AbortSignal): Promise<readonly Destination[]> {
  // The server finds one word, and the whole text ranks its rows.
  const [longest = ''] = text.split(/\s+/).sort((one, other) => other.length - one.length)
  if (longest === '' || isExact(text)) return []
  const q = longest.slice(0, MAX_SEARCH)
  const rows = async <Row>(
    scope: string,
    path: string,
    query: { readonly q?: string; readonly name?: string },
    destination: (row: Row) => Destination,
  ): Promise<readonly Destination[]> => {
    if (!may(scope)) return []
    const { items } = await get<ListPage<Row>>(path, { ...query, limit: FOUND_ROWS }, signal)
    return ranked(text, items.map(destination)).slice(0, SHOWN_ROWS)
  }
  const telephone = ({ name }: TelephonePageBody['items'][number]): Destination => ({
    href: hrefOf(`/telephones/${encodeURIComponent(name)}`),
    text: name,
    kind: 'telephone',
  })
  const found = await Promise.all([
    rows<RouteBody>('routes:read', '/v1/routes', { q }, ({ id, mount }) => ({
      href: hrefOf(`/routes/${id}`),
      text: mount,
      kind: 'route',
    })),
    rows<ServiceBody>('services:read', '/v1/services', { q }, ({ name }) => ({
      href: hrefOf(`/services/${name}`),
      text: name,
      kind: 'service',
    })),
    // The list of telephones has no search. The first ones are ranked here, and any other one is found by its whole name.
    rows('status:read', '/v1/telephones', {}, telephone),
    rows('status:read', '/v1/telephones', { name: text.slice(0, MAX_SEARCH) }, telephone),
    rows<TokenBody>('tokens:read', '/v1/tokens', { q }, ({ name }) => ({
      href: hrefOf('/access'),
      text: name,
      kind: 'token',
    })),
    rows<KeyBody>('keys:read', '/v1/keys', { q }, ({ name }) => ({
      href: hrefOf('/access?tab=keys'),
      text: name,
      kind: 'API key',
    })),
  ])
  return found.flat()
}

function ranked(text: string, destinations: readonly Destination[]): readonly Destination[] {
  return destinations
    .flatMap(destination => {
      const score = fuzzyScore(text, destination.text)
      return score === undefined ? [] : [{ destination, score }]
    })
    .sort((one, other) => other.score - one.score)
    .map(({ destination }) => destination)
}

/** A telephone has a row for each tunnel, and a name may have several tokens. */
function distinct(destinations: readonly Destination[]): readonly Destination[] {
  return [...new Map(destinations.map(each => [`${each.kind} ${each.text}`, each])).values()]
}
