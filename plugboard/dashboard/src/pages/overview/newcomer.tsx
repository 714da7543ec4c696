// The first page of a person whose Plugboard has had no request yet: the next command.

import { Empty } from '../../parts/empty.tsx'

export function Newcomer() {
  return (
    <Empty
      title="Waiting for the first request"
      commands={['npx --no telephone http 3000 --mount app.localhost', 'curl http://app.localhost:4000/']}
    >
      <p class="soft">
        A Telephone connects your web server to this Plugboard. Start a web server on port 3000, run the first
        command on the same machine, and open the address that it prints. This page shows the request as soon
        as it ends.
      </p>
    </Empty>
  )
}
