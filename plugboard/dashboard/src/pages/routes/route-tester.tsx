// Which route takes a URL, which rules apply, and why a request would fail.

import type { MatchBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf } from '../../shell/address.ts'
import { TextFilter } from '../../tables/text-filter.tsx'

const TONES: Readonly<Record<MatchBody['rules'][number]['effect'], Tone>> = {
  passes: 'good',
  rejects: 'bad',
  counts: 'plain',
  demands: 'warn',
  responds: 'warn',
  applies: 'plain',
}

export function RouteTester({ url, onUrl }: { url: string; onUrl: (url: string) => void }) {
  return (
    <section class="card" aria-label="Which route takes a URL">
      <div class="field">
        <TextFilter
          label="Which route takes this URL? Example: https://shop.example.com/cart"
          value={url}
          onChange={onUrl}
        />
      </div>
      {url !== '' && <Result url={url} />}
    </section>
  )
}

function Result({ url }: { url: string }) {
  const parsed = URL.parse(url.includes('://') ? url : `http://${url}`)
  if (parsed === null)
    return <p class="bad">This is not a URL. Write a host and a path, such as shop.example.com/cart.</p>
  return <Match host={parsed.host} path={parsed.pathname} key={parsed.href} />
}

function Match({ host, path }: { host: string; path: string }) {
  const query = useQuery<MatchBody>(
    `match ${host} ${path}`,
    signal => get('/v1/match', { host, path }, signal),
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
        {match.lines !== null && (
          <span class="soft">
            {match.lines.serving} of {match.lines.total} lines can take requests
          </span>
        )}
      </p>
      {match.response !== null && <p>{match.response.detail}</p>}
      {match.rules.length > 0 && (
        <ul class="list">
          {match.rules.map(rule => (
            <li key={`${rule.of} ${rule.rule} ${rule.detail}`}>
              <Chip tone={TONES[rule.effect]}>{rule.effect}</Chip>
              <span class="mono">{rule.rule}</span>
              <span class="spring">{rule.detail}</span>
            </li>
          ))}
        </ul>
      )}
      {match.nearMisses.length > 0 && (
        <ul class="list">
          {match.nearMisses.map(miss => (
            <li key={miss.detail}>
              <Chip>near miss</Chip>
              <span class="spring">{miss.detail}</span>
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
