// The head of the three views of traffic. Each view has its own address.

import { useLocation } from 'preact-iso'
import { PageHead } from '../../parts/page-head.tsx'
import { hrefOf } from '../../shell/address.ts'

const VIEWS = [
  ['live', 'Live', '/traffic'],
  ['failures', 'Failed or slow', '/traffic?view=failures'],
  ['inspector', 'Inspector', '/traffic/inspector'],
] as const
type View = (typeof VIEWS)[number][0]

/** All views keep the filters. */
export function TrafficHead({ view }: { view: View }) {
  const { query } = useLocation()
  const { view: _view, tab: _tab, with: _with, ...filters } = query
  return (
    <PageHead title="Traffic">
      <span class="spring" />
      <nav class="choice" aria-label="View">
        {VIEWS.map(([name, text, path]) => {
          const [base = '', own = ''] = path.split('?')
          const search = new URLSearchParams({ ...filters, ...Object.fromEntries(new URLSearchParams(own)) })
          return (
            <a
              key={name}
              class="button"
              href={hrefOf(search.size === 0 ? base : `${base}?${search}`)}
              aria-current={name === view ? 'page' : undefined}
            >
              {text}
            </a>
          )
        })}
      </nav>
    </PageHead>
  )
}
