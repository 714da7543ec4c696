// Compares compose.cluster.yaml and its load balancer with the product: the addresses, ports and times that must agree in
// several files. load-balancer.test.ts runs the load balancer.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDuration } from '@vera-stack/shared/settings/kind.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import { allowedHosts } from '../plugboard/admin/access/request-guard.ts'
import { loadPlugboardConfig, type PlugboardConfig } from '../plugboard/config.ts'
import { LEAVE_MS } from '../plugboard/replica/cluster/cluster.ts'
import { DEFAULT_SERVICE_POLICY } from '../plugboard/routes/options/service-policy.ts'
import { loadTelephoneConfig } from '../telephone/config.ts'
import { type Compose, readCompose, withDefaults } from './compose-file.ts'

const BALANCER = join(import.meta.dirname, 'haproxy.cfg')
const REPLICAS = ['plugboard-1', 'plugboard-2', 'plugboard-3']
/** The time for the last steps of a stop after the drain: closing tunnels, the admin port and the database. */
const LAST_STEPS_MS = 5000

const milliseconds = (written: string | undefined): number => {
  const parsed = parseDuration(written)
  if (!parsed.ok) throw new Error(`${written}: ${parsed.problem}`)
  return parsed.value
}

describe('compose.cluster.yaml', () => {
  let compose: Compose
  let balancer: string
  let replicas: Map<string, PlugboardConfig>

  beforeAll(async () => {
    compose = await readCompose('compose.cluster.yaml')
    balancer = await readFile(BALANCER, 'utf8')
    replicas = new Map(
      REPLICAS.map(name => {
        const env = withDefaults(compose.services[name]?.environment)
        return [name, loadPlugboardConfig({ env, cwd: '/app' }).values]
      }),
    )
  })

  it('has settings that Plugboard and Telephone accept, and a name for each replica', () => {
    for (const [name, config] of replicas) {
      expect(config.name).toBe(name)
      expect(new URL(config.peerUrl!).host).toBe(`${name}:${config.peerListen.port}`)
      expect(new URL(config.telephoneUrl!).host).toBe(`${name}:${config.listen[0]!.port}`)
    }
    const [first, ...others] = replicas.values()
    for (const other of others) {
      expect(other.clusterSecret).toEqual(first!.clusterSecret)
      expect(other.databaseUrl).toBe(first!.databaseUrl)
    }
    const { values } = loadTelephoneConfig({ env: withDefaults(compose.services.telephone?.environment) })
    expect(values.plugboard).toEqual([`http://proxy:${port('bind')}`])
    expect(compose.services.proxy?.ports).toEqual([`4000:${port('bind')}`])
  })

  it('balances over the ports of all replicas, and checks readiness at their admin ports', () => {
    const servers = [...balancer.matchAll(/^ {2}server (\S+) (\S+):(\d+) check port (\d+)$/gm)]
    expect(servers.map(([, name]) => name)).toEqual(REPLICAS)
    for (const [, name = '', host, publicPort, adminPort] of servers) {
      const { listen, adminListen } = replicas.get(name)!
      expect([host, Number(publicPort), Number(adminPort)]).toEqual([name, listen[0]!.port, adminListen.port])
    }
    const host = balancer.match(/http-check send meth GET uri \/readyz .*hdr host (\S+)/)?.[1]
    for (const { adminListen, adminHosts } of replicas.values())
      expect(allowedHosts(adminListen.host, adminHosts)).toContain(host)
  })

  it('accepts the client address from the load balancer only', () => {
    const { config: [front] = [] } = compose.networks?.front?.ipam ?? { config: [] }
    for (const { trustedProxies } of replicas.values()) expect(trustedProxies).toEqual([front?.subnet])
    const members = Object.entries(compose.services).filter(([, { networks }]) => networks?.includes('front'))
    expect(members.map(([name]) => name)).toEqual(['proxy', ...REPLICAS, 'token', 'telephone'])
    expect(balancer).toMatch(
      /del-header x-forwarded- -m beg\n.*del-header x-real-ip\n.*\n {2}option forwardfor\n/,
    )
  })

  it('gives a stop enough time to drain, and the load balancer enough time to notice', () => {
    const [, inter, , fall] = balancer.match(/default-server inter (\S+) fastinter (\S+) fall (\d+) /) ?? []
    for (const [name, { stopDelayMs, drainTimeoutMs }] of replicas) {
      expect(stopDelayMs).toBeGreaterThan(milliseconds(inter) * (Number(fall) + 1))
      const leavingMs = Math.max(stopDelayMs, Math.min(LEAVE_MS, drainTimeoutMs))
      const graceMs = milliseconds(compose.services[name]?.stop_grace_period)
      expect(graceMs).toBeGreaterThanOrEqual(leavingMs + drainTimeoutMs + LAST_STEPS_MS)
    }
    const { values } = loadTelephoneConfig({ env: withDefaults(compose.services.telephone?.environment) })
    const graceMs = milliseconds(compose.services.telephone?.stop_grace_period)
    expect(graceMs).toBeGreaterThanOrEqual(values.drainTimeoutMs + LAST_STEPS_MS)
  })

  it('has time limits at the load balancer that are longer than those of the replicas', () => {
    const limit = (name: string) => milliseconds(balancer.match(new RegExp(`timeout ${name} (\\S+)`))?.[1])
    const { headTimeoutMs, bodyIdleTimeoutMs, maxHeadBytes } = replicas.get('plugboard-1')!
    expect(limit('http-request')).toBeGreaterThan(headTimeoutMs)
    for (const side of ['client', 'server']) {
      expect(limit(side)).toBeGreaterThan(bodyIdleTimeoutMs)
      expect(limit(side)).toBeGreaterThan(DEFAULT_SERVICE_POLICY.idleTimeoutMs)
    }
    expect(limit('tunnel')).toBeGreaterThan(DEFAULT_SERVICE_POLICY.upgradeIdleTimeoutMs)
    expect(Number(balancer.match(/tune\.bufsize (\d+)/)?.[1])).toBeGreaterThan(maxHeadBytes)
  })

  const port = (word: string) => balancer.match(new RegExp(`${word} :(\\d+)`))?.[1]
})
