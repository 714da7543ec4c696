// Compares the response of an exchange with the response of another one of the same service.

import type { ExchangeBody, ExchangeSummaryBody } from '../../../../admin/api-types.ts'
import { responseDiff } from '../../../../admin/live/exchanges/response-diff.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { ResponseDiffView } from '../../inspector/response-diff-view.tsx'
import { clockTime, milliseconds } from '../../parts/format.ts'
import { QueryNotice } from '../../parts/page-head.tsx'

export function ExchangeComparison(props: {
  exchange: ExchangeBody
  others: readonly ExchangeSummaryBody[]
  /** The id of the other exchange; empty: none is chosen. */
  selected: string
  onSelect: (id: string) => void
}) {
  const { exchange, others, selected, onSelect } = props
  const choices = others.filter(({ id }) => id !== exchange.id)
  const isListed = choices.some(({ id }) => id === selected)
  return (
    <div class="stack">
      <div class="field">
        <label for="compare-with">Compare the response with that of</label>
        <select id="compare-with" value={selected} onChange={event => onSelect(event.currentTarget.value)}>
          <option value="">choose an exchange</option>
          {selected !== '' && !isListed && <option value={selected}>{selected}</option>}
          {choices.map(({ id, request }) => (
            <option key={id} value={id}>
              {`${clockTime(request.at)}  ${request.status}  ${request.method} ${request.path}`}
            </option>
          ))}
        </select>
      </div>
      {selected === '' ? (
        <p class="soft">A replay is compared with its first exchange.</p>
      ) : (
        <Comparison key={selected} exchange={exchange} other={selected} />
      )}
    </div>
  )
}

function Comparison({ exchange, other }: { exchange: ExchangeBody; other: string }) {
  const query = useQuery<ExchangeBody>(`exchange ${other}`, signal =>
    get(`/v1/exchanges/${encodeURIComponent(other)}`, {}, signal),
  )
  if (query.data === undefined) return <QueryNotice query={query} />
  // The older response comes first.
  const [before, after] = [query.data, exchange].sort((one, two) =>
    one.request.at.localeCompare(two.request.at),
  )
  if (before === undefined || after === undefined) return null
  return (
    <>
      <p class="soft">
        From {clockTime(before.request.at)} ({milliseconds(before.request.durationMs)},{' '}
        {before.request.telephoneId ?? 'Plugboard'}) to {clockTime(after.request.at)} (
        {milliseconds(after.request.durationMs)}, {after.request.telephoneId ?? 'Plugboard'}).
      </p>
      <ResponseDiffView diff={responseDiff(before.sent, after.sent)} />
    </>
  )
}
