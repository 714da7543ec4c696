// The backends of the scenario `balance`, in one process: each port responds after a random wait with an exponential
// distribution. Arguments: the mean wait of each backend, ms. The field `x-backend` of a response has the index of its backend.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { seededRandom } from '../../support/seeded-random.ts'

const BODY = Buffer.from('done\n')

const ports = await Promise.all(
  process.argv.slice(2).map(async (meanMs, index) => {
    const random = seededRandom(index + 1)
    const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
      request.resume()
      setTimeout(
        () => {
          response.setHeader('x-backend', index)
          response.setHeader('content-length', BODY.length)
          response.end(BODY)
        },
        -Math.log(1 - random()) * Number(meanMs),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }),
)
console.log(`listening on ${ports.join(',')}`)
process.on('SIGTERM', () => process.exit(0))
