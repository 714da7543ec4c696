// The first page of a person whose Plugboard has had no request yet: the next command.

import { Empty } from '../../parts/empty.tsx'

export function Newcomer() {
  return (
    <Empty
      title="Waiting for the first request"
      commands={['npx --no telephone http 3000 --mount app.localhost', 'curl http://app.localhost:4000/']}
    >
      <p class="soft">
        A Telephone connects your web server to this Plugboard. Run the first command beside a server on port
        3000, and open the address that it prints. This page shows the request as soon as it arrives.
      </p>
    </Empty>
  )
}
