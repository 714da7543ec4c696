// The settings of a Plugboard process: one row each. `--help`, the variables PLUGBOARD_*, the YAML file and the table in
// docs/operating/settings.md come from here.

import { hostname } from 'node:os'
import { MAX_TOKEN_LIMIT } from '@vera-stack/shared/claims.ts'
import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { ACCESS_LOG_FORMATS, LOG_LEVEL_ALIASES, LOG_LEVELS } from '@vera-stack/shared/log.ts'
import { otlpSettings } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { group, type SettingsOf, setting } from '@vera-stack/shared/settings.ts'
import { labelProblem } from '../common/labels.ts'
import { cipherProblem, INTERMEDIATE } from '../tls/ciphers.ts'
import {
  acmeHostProblem,
  challengeProblem,
  networkProblem,
  pairProblem,
  peerProblem,
} from './value-problems.ts'

export const plugboardSettings = {
  config: setting.path({ short: 'c', help: 'YAML file with settings' }),
  name: setting.text({ default: hostname(), help: 'Name of this replica in status and logs' }),
  data: setting.path({
    default: './data',
    help: 'Folder for secrets, the snapshot and the embedded database',
  }),

  ...group('Addresses', {
    listen: setting.listenList({
      default: ':4000',
      help: 'Public addresses, for clients and telephones; default of plugboard dev: loopback',
    }),
    adminListen: setting.listen({ default: '127.0.0.1:4001', help: 'Address of the admin API' }),
    adminHosts: setting.list({
      default: [],
      item: 'host',
      help: 'Host names that the admin API accepts; empty: localhost on loopback, otherwise any',
    }),
    environmentName: setting.text({
      since: '0.2.0',
      help: 'Name of this installation in the dashboard, such as production',
    }),
    environmentColor: setting.choice(['gray', 'blue', 'green', 'violet', 'orange', 'red'], {
      since: '0.2.0',
      default: 'gray',
      help: 'Colour of environmentName in the dashboard',
    }),
    maxBundleBytes: setting.bytes({
      default: '64MiB',
      min: '256KiB',
      max: '512MiB',
      help: 'Largest bundle of services and routes that the admin API accepts (plugboard import), also decompressed',
    }),
    publicUrl: setting.url({
      protocols: ['http', 'https'],
      help: 'URL of the public address as seen from outside; telephones receive it',
    }),
    trustedProxies: setting.list({
      default: [],
      item: 'cidr',
      check: networkProblem,
      help: 'Addresses and networks of proxies whose X-Forwarded-* and Forwarded fields are used',
    }),
    outboundNetworks: setting.list({
      default: [],
      item: 'cidr',
      check: networkProblem,
      help: 'Networks, in addition to public ones, that URLs in routes (jwksUrl) may lead to; default of plugboard dev: loopback and private networks',
    }),
    proxyProtocol: setting.boolean({
      default: false,
      help: 'Require a PROXY header (version 1 or 2) on connections of trustedProxies to the public ports',
    }),
    underscoreHeaders: setting.choice(['pass', 'drop'], {
      default: 'pass',
      help: 'Forward or drop request fields with _ in their name, which some backends read as -',
    }),
    allowTrace: setting.boolean({ default: false, help: 'Forward TRACE requests; otherwise they get 405' }),
  }),

  ...group('HTTPS', {
    tlsListen: setting.listen({ help: 'Public address for HTTPS, such as :443; without it HTTPS is off' }),
    tlsCertificateFolder: setting.path({
      help: 'Folder with certificates: x.crt or x.pem with x.key; folders with fullchain.pem and privkey.pem',
    }),
    tlsCertificates: setting.list({
      default: [],
      item: 'chain:key',
      check: pairProblem,
      help: 'Files of certificates, each chain.pem:key.pem',
    }),
    tlsDefaultHost: setting.text({
      help: 'Host whose certificate is sent to clients that send no host name or an unknown one; default: the first certificate',
    }),
    tlsMinVersion: setting.choice(['1.2', '1.3'], {
      default: '1.2',
      help: 'Oldest TLS version that HTTPS accepts',
    }),
    tlsCiphers: setting.list({
      default: [INTERMEDIATE],
      item: 'cipher',
      check: cipherProblem,
      help: "Ciphers that HTTPS offers, the preferred one first: OpenSSL's names, or intermediate for Mozilla's list",
    }),
    tlsHandshakeTimeoutMs: setting.duration({
      default: '10s',
      min: '100ms',
      max: '10m',
      help: 'Time limit for a whole TLS handshake',
    }),
    http2: setting.boolean({ default: true, help: 'Offer HTTP/2 to clients over HTTPS (ALPN)' }),
    http2Cleartext: setting.boolean({
      default: false,
      help: 'Accept HTTP/2 without TLS (prior knowledge) on the public address',
    }),
    httpsRedirect: setting.boolean({
      default: false,
      help: 'Redirect plain HTTP requests to HTTPS (308), except on routes with allowHttp',
    }),
    hstsMaxAgeMs: setting.duration({
      default: '0',
      max: '3650d',
      help: 'How long browsers use HTTPS only (Strict-Transport-Security, sent to clients that use HTTPS); 0: not sent',
    }),
    hstsSubdomains: setting.boolean({
      default: false,
      help: 'Extend hstsMaxAge to all subdomains (includeSubDomains)',
    }),
  }),

  ...group('Certificates from an authority (ACME)', {
    acmeDirectory: setting.text({
      help: 'Certificate authority: letsencrypt, letsencrypt-staging or the URL of an ACME directory',
    }),
    acmeAgree: setting.boolean({
      default: false,
      help: 'Agree to the terms of the authority; required for orders',
    }),
    acmeEmail: setting.text({ help: 'Contact address for the authority' }),
    acmeHosts: setting.list({
      default: [],
      item: 'host',
      check: acmeHostProblem,
      help: 'Hosts whose certificates are ordered before the first request; *.example.com allows orders for its hosts at their first use',
    }),
    acmeOnDemand: setting.boolean({
      default: true,
      help: 'Order a certificate for a host with a route of its own, at its first use',
    }),
    acmeChallenges: setting.list({
      default: ['http-01', 'tls-alpn-01'],
      item: 'type',
      check: challengeProblem,
      help: 'Challenges for the authority, in order of preference: http-01 (port 80), tls-alpn-01 (port 443)',
    }),
    acmeOrdersPerHour: setting.integer({
      default: 50,
      min: 1,
      help: 'Orders of certificates within an hour, over all replicas',
    }),
    acmeOrdersPerToken: setting.integer({
      default: 10,
      min: 0,
      help: 'Orders of certificates within an hour for hosts that the telephones of one token have claimed; hosts in acmeHosts do not count',
    }),
    acmeBindingKeyId: setting.text({
      help: 'Key id of the external account binding, if the authority requires one',
    }),
    acmeBindingKey: setting.text({ secret: true, help: 'Key of the external account binding, base64url' }),
  }),

  ...group('Database', {
    databaseUrl: setting.url({
      protocols: ['postgres', 'postgresql'],
      secret: true,
      variables: ['DATABASE_URL'],
      help: 'URL of a Postgres 14 or newer; without it the embedded Postgres runs',
    }),
    databaseConnections: setting.integer({
      default: 10,
      min: 2,
      max: 500,
      help: 'Largest number of connections to the database',
    }),
    migrate: setting.boolean({ default: true, help: 'Migrate the schema at start' }),
    changesKept: setting.integer({
      default: 1_000_000,
      min: 1000,
      help: 'Entries that the change log keeps',
    }),
  }),

  ...group('Logs', {
    logLevel: setting.choice(LOG_LEVELS, {
      aliases: LOG_LEVEL_ALIASES,
      default: 'info',
      help: 'Lowest level of the lines to write',
    }),
    logFormat: setting.choice(['auto', 'json', 'text'], {
      default: 'auto',
      help: 'auto: text on a terminal, JSON lines elsewhere',
    }),
    accessLog: setting.boolean({ default: true, help: 'Log one line for each finished request' }),
    accessLogFormat: setting.choice(ACCESS_LOG_FORMATS, {
      help: 'Format of these lines; default: as logFormat. combined: as Apache and nginx; ecs: Elastic Common Schema',
    }),
    accessLogSample: setting.fraction({
      default: 1,
      help: 'Part of these lines to write; lines of requests that failed, were retried, or took 1 s or more are always written',
    }),
    accessLogUserAgent: setting.boolean({
      default: false,
      help: 'Add User-Agent to these lines, and to the live log',
    }),
  }),

  ...group('Metrics and traces', {
    metricsListen: setting.listen({
      help: 'Address that serves /metrics only, without a key, such as 127.0.0.1:9400; the admin API serves it with a key',
    }),
    metricsRoutes: setting.integer({
      default: 500,
      min: 0,
      max: 10_000,
      help: 'Routes with metrics of their own, the busiest first; all others are _other',
    }),
    metricsServices: setting.integer({
      default: 1000,
      min: 1,
      max: 10_000,
      help: 'Services with metrics of their own, the busiest first; all others are _other',
    }),
    ...otlpSettings,
  }),

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

  ...group('Cluster', {
    clusterSecret: setting.list({
      secret: true,
      item: 'secret',
      help: 'Common secret of the replicas of a cluster, 16 characters or more; of several the first one is used and all are accepted; without it this replica is alone',
    }),
    peerListen: setting.listen({ default: ':4002', help: 'Address for the other replicas of a cluster' }),
    peerUrl: setting.url({
      protocols: ['http', 'https'],
      help: 'URL at which other replicas reach peerListen; default: the first address of this machine',
    }),
    peers: setting.list({
      default: [],
      item: 'host:port',
      check: peerProblem,
      help: 'Peer addresses of replicas, in addition to the addresses in the database',
    }),
    peerDns: setting.text({
      help: 'host:port whose A and AAAA records are the peer addresses of replicas, such as a headless service',
    }),
    telephoneUrl: setting.url({
      protocols: ['http', 'https'],
      help: 'URL at which telephones reach this replica and no other; default: publicUrl',
    }),
    labels: setting.list({
      default: [],
      item: 'key=value',
      check: labelProblem,
      help: 'Labels of this replica, such as region=eu; the policy locality of services compares them with the labels of telephones',
    }),
    rebalance: setting.boolean({
      default: true,
      help: 'Move tunnels, a few at a time, to replicas with fewer tunnels',
    }),
  }),

  ...group('Stop', {
    stopDelayMs: setting.duration({
      default: '0',
      max: '10m',
      help: 'At stop: how long the replica still accepts connections while /readyz responds 503, so that load balancers notice',
    }),
    drainTimeoutMs: setting.duration({
      default: '30s',
      max: '24h',
      help: 'At stop: time limit for open requests and WebSockets',
    }),
  }),
} as const

export type PlugboardConfig = SettingsOf<typeof plugboardSettings>
