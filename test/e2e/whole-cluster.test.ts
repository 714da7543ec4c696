// Each replica shows operators the same state of the cluster: Telephones, lines, outages, the last error of a service. The
// Telephone is connected to the second replica, and the tests ask the first one.

import { describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST } from '../support/programs/stack.ts'

const cluster = useCluster(2)
const ONE_TUNNEL = { args: ['--tunnels', '1', '--no-follow-replicas', '--health-check', 'tcp'] }
const cli = (index: number, ...args: string[]) => cluster.replicas[index]!.cli(...args)
interface Match {
  readonly lines: { readonly serving: number; readonly items: readonly { readonly replicaId: string }[] }
  readonly outage: { readonly reason: string } | null
  readonly lastError: { readonly code: string; readonly replicaId: string } | null
}
const match = (index: number) =>
  cluster.replicas[index]!.call<Match>('GET', `/v1/match?host=${HOST}&path=/hello`)

describe('two replicas', () => {
  it('both show a service without a Telephone, and the rejected requests for it', async () => {
    await cluster.untilLinked()
    const { status } = await send({ port: cluster.places[1]!.port, host: HOST, path: '/hello' })
    expect(status).toBe(503)
    for (const index of [0, 1]) {
      expect(await match(index)).toMatchObject({
        lines: { serving: 0 },
        outage: { reason: 'never_connected' },
        lastError: { code: 'no_telephone', replicaId: 'replica-2' },
      })
    }
    const { output } = await cli(0, 'status')
    expect(output).toMatch(
      /^services without a line \(1; a line is one service that one tunnel offers\)\nSERVICE .*\napp +before .* never_connected +app\.localhost/,
    )
    expect(output).toMatch(/\n\nreplica +replica-/)
    const tested = await cli(0, 'route', 'test', `http://${HOST}/hello`)
    expect([tested.code, tested.output.includes('no line of service app can take requests')]).toEqual([
      1,
      true,
    ])
  })

  it('both list the Telephones and lines of both replicas', async () => {
    const telephone = await cluster.startTelephone(1, ONE_TUNNEL)
    await eventually('the first replica has the line', async () =>
      (await match(0)).lines.serving === 1 ? true : undefined,
    )
    for (const index of [0, 1]) {
      const { items, missingReplicas } = await cluster.replicas[index]!.call<Record<string, unknown[]>>(
        'GET',
        '/v1/telephones',
      )
      expect([items, missingReplicas]).toMatchObject([[{ replicaId: 'replica-2' }], []])
      expect(await match(index)).toMatchObject({
        lines: { items: [{ replicaId: 'replica-2' }] },
        outage: null,
      })
    }
    const commands = [
      ['telephone', 'list'],
      ['replica', 'lines'],
      ['route', 'test', `${HOST}/hello`],
    ]
    const [telephones, lines, tested] = await Promise.all(commands.map(args => cli(0, ...args)))
    expect(telephones!.output).toContain('replica-2')
    expect(lines!.output).toMatch(/app +1 +replica-2: 1/)
    expect(tested!.code).toBe(0)
    expect(tested!.output).toMatch(/^route +app\.localhost \(/m)
    expect(tested!.output).toMatch(/^outcome +goes to a telephone; its health check passes$/m)
    expect(tested!.output).toMatch(/^lines +1 of 1 can take requests \(a line is .*\)$/m)
    expect(tested!.output).toMatch(
      /^last error +\d+[sm] ago \(\d{4}-.*Z\): no_telephone: .*replica replica-2/m,
    )
    await telephone.child.stop()
    await eventually('the outage is known', async () => ((await match(0)).outage ? true : undefined))
    expect((await match(0)).outage).toMatchObject({ reason: 'disconnected', observed: true })
    expect((await cli(0, 'status')).output).toMatch(/The last telephone, ".*" on replica replica-2, has disc/)
  })

  it('name a replica that gives no response', async () => {
    const { child } = cluster.replicas[1]!
    child.signal('SIGSTOP')
    try {
      const response = await cluster.replicas[0]!.call<{ missingReplicas: unknown[] }>(
        'GET',
        '/v1/telephones',
      )
      expect(response.missingReplicas).toMatchObject([{ id: 'replica-2', reason: expect.any(String) }])
      const { output } = await cli(0, 'telephone', 'list')
      expect(output).toMatch(/note: data of replica replica-2 is missing: /)
    } finally {
      child.signal('SIGCONT')
    }
  })
})
