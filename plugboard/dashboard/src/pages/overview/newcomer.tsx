// The next step of a person whose Plugboard has had no request yet. It disappears when the first request arrives.

import type { RouteBody } from '../../../../admin/api-types.ts'
import { liveTraffic } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Empty } from '../../parts/empty.tsx'
import { may, session } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'

/** The live points of this time are read again each second, s. It is longer than a second of clock difference. */
const LIVE_SECONDS = 60
const DEFAULT_URL = 'http://localhost:4000'

/**
 * Shows the next command while no route has had a request. A route has the time of its last request only after two minutes, and the
 * live traffic has it at once. `hasTraffic`: the charts have a request.
 */
export function Newcomer({ hasTraffic }: { hasTraffic: boolean }) {
  const newest = useQuery<{ items: readonly Pick<RouteBody, 'lastRequestAt'>[] }>('newest request', signal =>
    may('routes:read')
      ? get('/v1/routes', { sort: '-lastRequestAt', limit: 1 }, signal)
      : Promise.resolve({ items: [] }),
  )
  const isKnown = newest.data !== undefined || newest.error !== undefined
  const wasUsed = newest.data?.items.some(({ lastRequestAt }) => lastRequestAt !== null) === true
  // Reads the signal, so that this component renders each second.
  const isLive = liveTraffic.seconds.value > 0 && hasLiveRequest()
  return !isKnown || wasUsed || hasTraffic || isLive ? null : <NextCommand />
}

function hasLiveRequest(): boolean {
  const now = Math.floor(Date.now() / 1000)
  return liveTraffic
    .between('', now - LIVE_SECONDS, now + 1)
    .some(point => point?.classes.some(requests => requests > 0))
}

function NextCommand() {
  const url = URL.parse(session.value?.plugboardUrl ?? DEFAULT_URL) ?? new URL(DEFAULT_URL)
  const isLocal = /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  const host = isLocal ? 'app.localhost' : url.hostname
  const path = isLocal ? '' : '/app'
  const telephone = [
    'npx --no telephone http 3000',
    `--mount ${host}${path}`,
    ...(url.origin === DEFAULT_URL ? [] : [`--plugboard ${url.origin}`]),
  ].join(' ')
  const port = url.port === '' ? '' : `:${url.port}`
  return (
    <Empty
      title="Waiting for the first request"
      commands={[telephone, `curl ${url.protocol}//${host}${port}${path}/`]}
    >
      <p class="soft">
        A Telephone connects your web server to this Plugboard. Start a web server on port 3000, run the first
        command {isLocal ? 'on the same machine' : 'beside it'}, and open the address that it prints. This
        page shows the request as soon as it ends.
      </p>
      <p class="soft">
        On another machine, the Telephone needs a token: <a href={hrefOf('/access')}>issue one</a>, and copy
        its command.
      </p>
    </Empty>
  )
}
