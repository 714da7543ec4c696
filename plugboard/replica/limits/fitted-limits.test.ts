import { describe, expect, it } from 'vitest'
import { loadPlugboardConfig } from '../../config.ts'
import { UNFINISHED_SHARE } from '../../proxy/proxy-limits.ts'
import { fitLimits, PENDING_TUNNEL_SHARE } from './fitted-limits.ts'

const SECRET = 'a secret of sixteen characters'

function configOf(flags: Record<string, unknown> = {}) {
  return loadPlugboardConfig({ flags, env: {} }).values
}

/** Open files that a process may hold under these limits, as `proxy/`, `tls/`, `telephones/` and `peers/` apply them. */
function filesUnder(
  { config, maxAdminConnections, maxPeerConnections }: ReturnType<typeof fitLimits>,
  unfinishedStages: number,
): number {
  return (
    config.maxConnections +
    unfinishedStages * Math.ceil(config.maxConnections * UNFINISHED_SHARE) +
    config.maxTunnels +
    Math.ceil(config.maxTunnels * PENDING_TUNNEL_SHARE) +
    config.databaseConnections +
    maxAdminConnections +
    maxPeerConnections
  )
}

describe('fitLimits', () => {
  it.each([65_536, Number.POSITIVE_INFINITY])('leaves the defaults alone with %s open files', openFiles => {
    const config = configOf()
    const fitted = fitLimits({ config, openFiles })
    expect(fitted.config).toEqual(config)
    expect(fitted).toMatchObject({
      maxAdminConnections: 1000,
      maxPeerConnections: 0,
      lowered: undefined,
    })
  })

  it('lowers the limits of connections and tunnels, and names them with the limit of open files', () => {
    const { config, lowered } = fitLimits({ config: configOf(), openFiles: 1024 })
    expect(config).toMatchObject({
      maxConnections: 568,
      maxConnectionsPerAddress: 284,
      maxTunnels: 258,
      databaseConnections: 10,
    })
    expect(lowered).toEqual({
      isProblem: true,
      detail:
        'maxConnections from 20000 to 568, maxConnectionsPerAddress from 10000 to 284, maxTunnels from 10000 to 258: ' +
        'the limit of open files is 1024. Raise that limit, or lower these settings.',
    })
  })

  it.each([20_000, 4096, 2048])(
    'reports no problem when defaults are lowered for %s open files',
    openFiles => {
      const { lowered } = fitLimits({ config: configOf(), openFiles })
      expect(lowered).toMatchObject({
        isProblem: false,
        detail: expect.stringMatching(
          / is enough for most installations\. To serve more clients at once, raise/,
        ),
      })
    },
  )

  it('reports a problem when a limit that the operator has set is lowered', () => {
    const config = configOf({ maxTunnels: 9000 })
    const lowered = (...settings: string[]) =>
      fitLimits({ config, isSet: setting => settings.includes(setting), openFiles: 20_000 }).lowered
        ?.isProblem
    expect(lowered()).toBe(false)
    expect(lowered('maxTunnels')).toBe(true)
    expect(lowered('databaseConnections')).toBe(false)
  })

  it.each([
    ['HTTP alone', {}, 0],
    ['HTTPS', { tlsListen: ':0', tlsCertificates: ['a:b'] }, 1],
    [
      'a PROXY header on both ports',
      {
        tlsListen: ':0',
        tlsCertificates: ['a:b'],
        proxyProtocol: true,
        trustedProxies: ['10.0.0.1'],
      },
      3,
    ],
    ['a cluster with many database connections', { clusterSecret: SECRET, databaseConnections: 500 }, 0],
  ] as const)('keeps all of them together below the limit: %s', (_, flags, unfinishedStages) => {
    for (const openFiles of [128, 256, 1000, 1024, 4096, 20_000, 40_000]) {
      const fitted = fitLimits({ config: configOf(flags), openFiles })
      expect(filesUnder(fitted, unfinishedStages), String(openFiles)).toBeLessThanOrEqual(openFiles - 50)
      expect(fitted.config.maxConnections).toBeGreaterThan(openFiles / 8)
      expect(fitted.config.maxTunnels).toBeGreaterThan(openFiles / 20)
      expect(fitted.config.databaseConnections).toBeGreaterThanOrEqual(2)
      expect(fitted.maxAdminConnections).toBeGreaterThanOrEqual(5)
    }
  })

  it('keeps the share of one client address', () => {
    const config = configOf({ maxConnections: 50_000, maxConnectionsPerAddress: 5000 })
    const { maxConnections, maxConnectionsPerAddress } = fitLimits({ config, openFiles: 1024 }).config
    expect(maxConnectionsPerAddress).toBe(Math.floor(maxConnections / 10))
  })

  it('rejects a limit of open files that is too small for any service, and names the way to raise it', () => {
    expect(() => fitLimits({ config: configOf(), openFiles: 127 })).toThrow(
      'The limit of open files is 127, and Plugboard needs at least 128. Raise it: ulimit -n, ' +
        'LimitNOFILE= of systemd, --ulimit nofile= of Docker.',
    )
  })
})
