// This release together with a next release, whose protocol has one more version: Telephones and replicas of both, in every
// combination of a rolling upgrade.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { PROTOCOL_VERSIONS } from '../../shared/protocol/wire/version.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import type { Child } from '../support/process/child.ts'
import { useCluster } from '../support/programs/cluster.ts'
import type { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { HOST } from '../support/programs/stack.ts'

// Without access lines, because the test reads the lines of the newer programs in the output.
const cluster = useCluster(2, { replicaArgs: ['--no-access-log'] })
const NEXT_HOST = 'next.localhost'
const next = (name: string) => join(import.meta.dirname, `../support/next-release/${name}.ts`)
const [, own] = PROTOCOL_VERSIONS

/** Sends bodies through each replica to each Telephone, in both directions, larger than one window. */
async function everyWayServes(): Promise<void> {
  const body = 'x'.repeat(600_000)
  for (const { name, port } of cluster.places) {
    for (const host of [HOST, NEXT_HOST]) {
      await eventually(`${host} is served by ${name}`, async () =>
        (await send({ port, host, path: '/hello' })).status === 200 ? true : undefined,
      )
      const response = await send({ port, host, path: '/echo', method: 'POST', body })
      expect([response.status, response.text === body], `${host} through ${name}`).toEqual([200, true])
    }
  }
}

/** Returns the pairs of version and peer that a process of the next release has used, sorted, each pair once. */
function spoken(lines: readonly string[]): string[] {
  const said = lines.flatMap(line => line.match(/^next release: (version \d+ with \w+)/)?.[1] ?? [])
  return [...new Set(said)].sort()
}

it('an older and a newer end work together: Telephones with replicas, and replicas with replicas', async () => {
  await cluster.untilLinked()
  await cluster.replicas[0]!.addService('next')
  await cluster.replicas[0]!.addRoute(NEXT_HOST, 'next')
  const older = await cluster.startTelephone(0)
  const newer = await cluster.startTelephone(0, { service: 'next', program: next('telephone') })
  await everyWayServes()
  expect(spoken(newer.child.lines)).toEqual([`version ${own} with plugboard`])

  // Upgrades one replica after the other, while requests run through the other one.
  for (const upgraded of [0, 1]) {
    const { port } = cluster.places[1 - upgraded]!
    const loops = [HOST, NEXT_HOST].map(host => new RequestLoop({ port, host }))
    await Promise.all(loops.map(loop => loop.successes(30)))
    await cluster.replicas[upgraded]!.child.stop()
    await cluster.startReplica(upgraded, { program: next('plugboard') })
    await cluster.untilLinked()
    await everyWayServes()
    await Promise.all(loops.map(loop => loop.successes(30)))
    expect(await Promise.all(loops.map(loop => loop.stop()))).toEqual([[], []])
  }

  // Two programs of the next release use its version. With the older Telephone they still use the present version. Telephones
  // connect to the second replica by themselves, a little later.
  const [first, second] = cluster.replicas as [PlugboardProcess, PlugboardProcess]
  const untilSpoken = (child: Child, ...wanted: string[]) =>
    eventually(`${child.name} logs ${wanted.join(', ')}`, () =>
      wanted.every(words => spoken(child.lines).includes(words)) ? true : undefined,
    )
  await untilSpoken(newer.child, `version ${own + 1} with plugboard`)
  await untilSpoken(first.child, `version ${own} with plugboard`, `version ${own + 1} with plugboard`)
  for (const { child } of [first, second]) await untilSpoken(child, `version ${own} with telephone`)
  for (const { child } of [older, newer]) await child.stop()
})
