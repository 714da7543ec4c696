// The settings that bound what clients and telephones may use.

import { MAX_TOKEN_LIMIT } from '@vera-stack/shared/claims.ts'
import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { group, setting } from '@vera-stack/shared/settings.ts'

export const limitSettings = {
  ...group('Limits of clients', {
    maxConnections: setting.integer({ default: 20_000, min: 1, help: 'Open client connections at once' }),
    maxConnectionsPerAddress: setting.integer({
      default: 10_000,
      min: 1,
      help: 'Open client connections of one address (IPv6: one /64) at once; trustedProxies and tunnels do not count',
    }),
    clientSharePercent: setting.percent({
      default: `${DEFAULT_CLIENT_SHARE_PERCENT}%`,
      min: 1,
      help: 'Largest part of a limited resource (connections, streams of a service) that one address (IPv6: one /64) may hold; 100%: all',
    }),
    maxHeadBytes: setting.bytes({
      default: '64KiB',
      min: '1KiB',
      max: '1MiB',
      help: 'Largest request line with headers',
    }),
    http2MaxStreams: setting.integer({
      default: 128,
      min: 1,
      max: 10_000,
      help: 'Open requests of one HTTP/2 connection at once',
    }),
    maxHeaders: setting.integer({
      default: 200,
      min: 10,
      max: 2000,
      help: 'Largest number of header lines of a request',
    }),
    maxTargetBytes: setting.bytes({
      default: '16KiB',
      min: '256B',
      max: '64KiB',
      help: 'Longest path with query',
    }),
    headTimeoutMs: setting.duration({
      default: '10s',
      min: '100ms',
      max: '10m',
      help: 'Time limit for a whole request head',
    }),
    maxMemoryPercent: setting.integer({
      default: 75,
      min: 1,
      max: 100,
      help: "Percent of the machine's memory that this process may use without a container limit; requests get 503 from 90 % of that",
    }),
    bodyIdleTimeoutMs: setting.duration({
      default: '60s',
      min: '100ms',
      max: '1h',
      help: 'Time limit for the next byte of a request body',
    }),
    minBodyRateBytes: setting.bytes({
      default: 0,
      help: 'Lowest rate of a request body, in bytes per second over 30 s of reading; 0: no limit',
    }),
    keepAliveTimeoutMs: setting.duration({
      default: '75s',
      min: '1s',
      max: '1h',
      help: 'Time limit for the next request on a connection',
    }),
  }),

  ...group('Tunnels', {
    maxTunnels: setting.integer({ default: 10_000, min: 1, help: 'Open tunnels at once' }),
    tunnelMaxWindowBytes: setting.bytes({
      default: '16MiB',
      min: '256KiB',
      max: '256MiB',
      help: 'Largest number of bytes that one stream may have under way',
    }),
    maxHeldBytes: setting.bytes({
      min: '64MiB',
      help: 'Bytes that this replica may hold for slow readers, in all; default: half of the memory that it may use',
    }),
    tokenMaxHeldBytes: setting.bytes({
      min: '16MiB',
      help: 'Bytes that it may hold for all tunnels of one token; default: half of maxHeld, 640MiB at most',
    }),
    tunnelMaxHeldBytes: setting.bytes({
      min: '8MiB',
      help: 'Bytes that it may hold for one tunnel; default: half of tokenMaxHeld, 320MiB at most',
    }),
    tunnelPingIntervalMs: setting.duration({
      default: '2s',
      min: '100ms',
      max: '10m',
      help: 'Time between pings on a tunnel',
    }),
    tunnelPingTimeoutMs: setting.duration({
      default: '6s',
      min: '200ms',
      max: '30m',
      help: 'Time without a byte after which a tunnel counts as dead',
    }),
  }),

  ...group('Tokens and mounts of telephones', {
    tokenIssuer: setting.text({ help: 'Exact "iss" of another issuer whose tokens are accepted too' }),
    tokenJwksUrl: setting.url({
      protocols: ['https', 'http'],
      help: 'URL of the keys (JWKS) of that issuer; plain http only on loopback',
    }),
    tokenMaxTunnels: setting.integer({
      default: 1000,
      min: 1,
      max: MAX_TOKEN_LIMIT,
      help: 'Tunnels of one token at once, over all replicas, unless the token has a limit of its own',
    }),
    tokenMaxClaims: setting.integer({
      default: 1000,
      min: 0,
      max: MAX_TOKEN_LIMIT,
      help: 'Routes that the telephones of one token may claim, unless the token has a limit of its own',
    }),
    tokenMaxAnnouncements: setting.integer({
      default: 1200,
      min: 1,
      max: MAX_TOKEN_LIMIT,
      help: 'Announcements and renewals of one token within a minute, on one replica, unless the token has a limit of its own',
    }),
    ephemeralGraceMs: setting.duration({
      default: '10m',
      min: '1m',
      max: '30d',
      help: 'How long an ephemeral mount of a telephone remains after its last line has ended',
    }),
    generatedHosts: setting.text({
      help: 'Wildcard for generated hosts of telephones, such as *.t.example.com; default: under the host of publicUrl, or under localhost',
    }),
  }),
} as const
