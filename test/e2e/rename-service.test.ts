// A service that is renamed, and renamed back, has no failed request: its Telephones announce the old name, which stays an
// alias. This also holds after a Telephone has connected again, and on a replica that forwards to another one.

import { describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

const RENAMED = `${SERVICE}-eu`
const path = (name: string) => `/v1/services/${name}`

describe('one replica', () => {
  const stack = useStack()

  it('keeps serving a renamed service, also after its Telephone connects again, and prints the remedy', async () => {
    const loop = new RequestLoop({ port: stack.port, host: HOST })
    await loop.successes(10)
    const { code, output } = await stack.plugboard.cli('service', 'set', SERVICE, '--name', RENAMED)
    expect([code, output]).toEqual([
      0,
      expect.stringContaining('telephones that announce app still serve app-eu'),
    ])
    await loop.successes(20)
    // A Telephone announces the name with which it was started.
    const second = await stack.startTelephone({ args: ['--name', 'second'] })
    await stack.telephone.child.stop()
    await loop.successes(20)
    await eventually('the list for the new name has the tunnels of the second telephone alone', async () => {
      const query = `/v1/telephones?service=${RENAMED}`
      const { items } = await stack.plugboard.call<{ items: { name: string }[] }>('GET', query)
      return items.length > 0 && items.every(({ name }) => name === 'second') ? true : undefined
    })
    await stack.plugboard.call('PATCH', path(RENAMED), { name: SERVICE })
    await loop.successes(20)
    expect(await loop.stop()).toEqual([])
    await second.child.stop()
  })

  it('rejects a new service with a former name, because it would get the Telephones of the renamed one', async () => {
    await stack.plugboard.call('PATCH', path(SERVICE), { name: RENAMED })
    const { status, text } = await stack.plugboard.api('POST', '/v1/services', { name: SERVICE })
    expect([status, text]).toEqual([409, expect.stringContaining('is a former name of service')])
    await stack.plugboard.call('PATCH', path(RENAMED), { name: SERVICE })
  })
})

describe('two replicas', () => {
  const cluster = useCluster(2)

  it('keep serving a renamed service, with the tunnel on either replica', async () => {
    await cluster.untilLinked()
    const telephone = await cluster.startTelephone(1, { args: ['--tunnels', '1', '--no-follow-replicas'] })
    for (const { port } of cluster.places) {
      await eventually('the replica serves', async () =>
        (await send({ port, host: HOST, path: '/hello' })).status === 200 ? true : undefined,
      )
    }
    const loops = cluster.places.map(({ port }) => new RequestLoop({ port, host: HOST }))
    const [first] = cluster.replicas
    for (const [from, to] of [
      [SERVICE, RENAMED],
      [RENAMED, SERVICE],
    ] as const) {
      await first!.call('PATCH', path(from), { name: to })
      await Promise.all(loops.map(loop => loop.successes(20)))
      const { lines } = await first!.call<{ lines: object[] }>('GET', '/v1/replicas')
      expect(lines).toEqual([{ service: to, replicas: { 'replica-2': 1 } }])
    }
    expect(await Promise.all(loops.map(loop => loop.stop()))).toEqual([[], []])
    await telephone.child.stop()
  })
})
