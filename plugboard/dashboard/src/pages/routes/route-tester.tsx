// Which route takes a request, which rules apply in which order, and why the request would fail.

import type { MatchBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { TextFilter } from '../../tables/text-filter.tsx'

const TONES: Readonly<Record<MatchBody['rules'][number]['effect'], Tone>> = {
  passes: 'good',
  rejects: 'bad',
  counts: 'plain',
  demands: 'warn',
  responds: 'warn',
  applies: 'plain',
}
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** The address of the page has the request, so that a link shows the same result. */
export function RouteTester() {
  const { filter, setFilters } = useAddress()
  const [url, method, fields] = [filter('url'), filter('method') || 'GET', filter('fields')]
  return (
    <section class="card tester" aria-label="Which route takes a request">
      <div class="tester-request">
        <select
          aria-label="Method of the request"
          value={method}
          onChange={({ currentTarget: { value } }) => setFilters({ method: value === 'GET' ? '' : value })}
        >
          {METHODS.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <TextFilter
          label="Which route takes this URL? Example: https://shop.example.com/cart"
          value={url}
          onChange={value => setFilters({ url: value })}
        />
      </div>
      {url !== '' && (
        <div class="stack">
          <details open={fields !== ''}>
            <summary class="soft">Header fields</summary>
            <textarea
              aria-label="Header fields of the request, one in each line"
              rows={3}
              spellcheck={false}
              placeholder="Origin: https://app.example.com"
              value={fields}
              onChange={event => setFilters({ fields: event.currentTarget.value.trim() })}
            />
          </details>
          <Result url={url} method={method} fields={fields} />
        </div>
      )}
    </section>
  )
}

function Result({ url, method, fields }: { url: string; method: string; fields: string }) {
  const parsed = URL.parse(/^https?:/i.test(url) ? url : `http://${url}`)
  if (parsed === null)
    return <p class="bad">This is not a URL. Write a host and a path, such as shop.example.com/cart.</p>
  const header = fields.split('\n').flatMap(line => line.trim() || [])
  const request = {
    host: parsed.host,
    path: parsed.pathname + parsed.search,
    scheme: parsed.protocol.slice(0, -1),
    method,
    header,
  }
  return <Match request={request} />
}

interface TestedRequest {
  readonly host: string
  readonly path: string
  readonly scheme: string
  readonly method: string
  readonly header: readonly string[]
}

function Match({ request }: { request: TestedRequest }) {
  const query = useQuery<MatchBody>(
    `match ${JSON.stringify(request)}`,
    signal => get('/v1/match', { ...request }, signal),
    { on: anyChange },
  )
  const match = query.data
  if (match === undefined) return <QueryNotice query={query} />
  return (
    <div class="stack" aria-live="polite">
      <p class="row">
        {match.route === null ? (
          <Chip tone="bad">no route</Chip>
        ) : (
          <a class="mono" href={hrefOf(`/routes/${match.route.id}`)}>
            {match.route.mount}
          </a>
        )}
        {match.service !== null && (
          <>
            → <a href={hrefOf(`/services/${match.service.name}`)}>{match.service.name}</a>
          </>
        )}
        {match.response !== null && (
          <Chip tone={match.response.status >= 500 ? 'bad' : 'warn'}>
            {match.response.status} {match.response.code}
          </Chip>
        )}
        {match.service !== null && (
          <span class="soft">
            {match.lines.serving} of {match.lines.total} lines can take requests
          </span>
        )}
      </p>
      {match.response !== null && <p>{match.response.detail}</p>}
      {match.rules.length > 0 && (
        <ol class="list" aria-label="Rules, in the order of their checks">
          {match.rules.map((rule, index) => (
            <li key={`${rule.of} ${rule.rule} ${rule.detail}`}>
              <span class="soft number">{index + 1}</span>
              <Chip tone={TONES[rule.effect]}>{rule.effect}</Chip>
              <span class="mono">{rule.rule}</span>
              <span class="spring">{rule.detail}</span>
            </li>
          ))}
        </ol>
      )}
      {match.nearMisses.length > 0 && (
        <ul class="list" aria-label="Routes that almost match">
          {match.nearMisses.map(({ route, detail }) => (
            <li key={detail}>
              <Chip>near miss</Chip>
              <span class="spring">{detail}</span>
              {route !== null && <a href={hrefOf(`/routes/${route.id}`)}>{route.mount}</a>}
            </li>
          ))}
        </ul>
      )}
      {match.lastError !== null && (
        <p class="soft">
          Last error: {match.lastError.message}{' '}
          <a href={hrefOf(`/traffic/${match.lastError.requestId}`)}>Explain this error</a>
        </p>
      )}
    </div>
  )
}
