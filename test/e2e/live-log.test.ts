// The live log and `explain` over three replicas, one of which restarts (T15). The command follows the first replica; the Telephone is
// connected to the second one.

import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import type { Child } from '../support/process/child.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { cleanEnvironment } from '../support/programs/plugboard-process.ts'
import { HOST } from '../support/programs/stack.ts'

const MAIN = join(import.meta.dirname, '../../plugboard/main.ts')
const SECRET = 'hunter2hunter2'

const cluster = useCluster(3)
const followers: Child[] = []

afterEach(async () => {
  for (const follower of followers.splice(0)) await follower.stop('SIGINT')
})

/** Follows the live log of the first replica. */
async function follow(...filters: string[]): Promise<Child> {
  const { adminPort, folder } = cluster.replicas[0]!
  const where = ['--url', `http://127.0.0.1:${adminPort}`, '--data', join(folder, 'data')]
  const args = [MAIN, 'logs', '--follow', '--json', ...filters, ...where]
  const env = cleanEnvironment()
  const follower = cluster.processes.node('plugboard logs', args, { env, cwd: folder })
  expect(follower.pid).toBeGreaterThan(0)
  followers.push(follower)
  return follower
}

const notes = (follower: Child) => follower.lines.filter(line => line.startsWith('note: '))
const requests = (follower: Child) =>
  follower.lines
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as { path: string; replicaId: string; status: number })

const untilFollowing = (follower: Child, ...ids: string[]) =>
  eventually(`the command follows ${ids.join(', ')}`, () => {
    const last = notes(follower).findLast(line => line.startsWith('note: following '))
    const followed = last?.slice('note: following '.length).split(', ').toSorted()
    return followed?.join() === ids.join() ? true : undefined
  })

const ask = (index: number, path: string, headers: Record<string, string> = {}) =>
  send({ port: cluster.places[index]!.port, host: HOST, path, headers })

const ALL = ['replica-1', 'replica-2', 'replica-3']

describe('three replicas', () => {
  it('follow shows each request of all replicas, also after one of them has restarted', async () => {
    await cluster.untilLinked()
    await cluster.startTelephone(1, { args: ['--tunnels', '1', '--no-follow-replicas'] })
    await eventually('each replica reaches the Telephone', async () => {
      const statuses = await Promise.all([0, 1, 2].map(async index => (await ask(index, '/hello')).status))
      return statuses.every(status => status === 200) ? true : undefined
    })
    const follower = await follow('--path', '/live')
    await untilFollowing(follower, ...ALL)
    const sent: string[] = []
    const sendTo = async (index: number, count: number): Promise<void> => {
      for (let number = 0; number < count; number += 1) {
        const path = `/live/${index}/${sent.length}`
        sent.push(path)
        await ask(index, `${path}?token=${SECRET}`, { authorization: `Bearer ${SECRET}` })
      }
    }
    await Promise.all([0, 1, 2].map(index => sendTo(index, 20)))
    const traffic = { running: true }
    const meanwhile = Promise.all(
      [0, 1].map(async index => {
        // Each request waits for its line, so that the number of lines stays below those that the test keeps.
        for (let number = 0; traffic.running; number += 1) {
          const path = `/live/meanwhile-${index}-${number}`
          sent.push(path)
          await ask(index, path)
          await follower.waitForLine(new RegExp(`"path":"${path}"`), { timeoutMs: 30_000 })
        }
      }),
    )
    await cluster.replicas[2]!.child.stop()
    await untilFollowing(follower, 'replica-1', 'replica-2')
    await cluster.startReplica(2)
    await untilFollowing(follower, ...ALL)
    traffic.running = false
    await meanwhile
    await sendTo(2, 20)
    await eventually('each request is shown', () =>
      requests(follower).length >= sent.length ? true : undefined,
    )
    expect(
      requests(follower)
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(sent.toSorted())
    expect(notes(follower).filter(note => note.includes('are not shown'))).toEqual([])
    expect(follower.output).not.toContain(SECRET)
  })

  it('filters run on the replica that served the request', async () => {
    const follower = await follow('--status', '404,5xx', '--replica', 'replica-2')
    await untilFollowing(follower, 'replica-2')
    await ask(1, '/hello')
    await send({ port: cluster.places[0]!.port, host: 'absent.test', path: '/elsewhere' })
    await send({ port: cluster.places[1]!.port, host: 'absent.test', path: '/missing' })
    await eventually('the request is shown', () => (requests(follower).length > 0 ? true : undefined))
    expect(requests(follower)).toMatchObject([{ path: '/missing', status: 404, replicaId: 'replica-2' }])
  })

  it('explain shows the reason of a failure of another replica, from the id on its error page', async () => {
    await cluster.backend.child.stop()
    const failed = await ask(2, `/broken?token=${SECRET}`, {
      accept: 'text/html',
      authorization: `Bearer ${SECRET}`,
    })
    const id = String(failed.headers['x-request-id'])
    expect([failed.status, failed.text.includes(`plugboard explain ${id}`)]).toEqual([502, true])
    const { output, code } = await cluster.replicas[0]!.cli('explain', id)
    expect(code).toBe(0)
    expect(output).toMatch(/^reason +backend_unreachable \(connection_refused\)$/m)
    expect(output).toMatch(/^route +app\.localhost$/m)
    expect(output).toMatch(/^lines +1 of 1 could take a request$/m)
    expect(output).toMatch(/^replica +replica-3$/m)
    expect(output).toContain('Start the backend, or correct the target.')
    expect(output).not.toContain(SECRET)
    const listed = await cluster.replicas[1]!.cli('logs', '--status', '502', '--json')
    expect(JSON.parse(listed.output)).toMatchObject([
      { requestId: id, replicaId: 'replica-3', path: '/broken' },
    ])
    const prefix = await cluster.replicas[0]!.cli('explain', id.slice(0, 30), '--json')
    expect(JSON.parse(prefix.output)).toMatchObject({ request: { requestId: id }, missingReplicas: [] })
  })

  it('explain names the reasons why no replica has a request, and the replicas that did not respond', async () => {
    const { child } = cluster.replicas[1]!
    child.signal('SIGSTOP')
    try {
      const { code, output } = await cluster.replicas[0]!.cli(
        'explain',
        'ffffffff-0000-7000-8000-000000000000',
      )
      expect(code).toBe(1)
      expect(output).toContain('No replica has a failed or slow request with this id.')
      expect(output).toMatch(/did not respond, and may have it: replica-2 \(/)
    } finally {
      child.signal('SIGCONT')
    }
  })

  it('a wrong filter is refused with its name', async () => {
    const { code, output } = await cluster.replicas[0]!.cli('logs', '--follow', '--status', '6xx')
    expect([code, output]).toEqual([
      1,
      'plugboard: --status: is not a status such as 404, 5xx or 500-503, nor a list of them',
    ])
  })
})
