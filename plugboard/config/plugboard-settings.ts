// The settings of a Plugboard process: one row each. `--help`, the variables PLUGBOARD_*, the YAML file and the table in
// docs/operating/settings.md come from here. https-settings.ts and limit-settings.ts have the rows of their subjects.

import { hostname } from 'node:os'
import { ACCESS_LOG_FORMATS, LOG_LEVEL_ALIASES, LOG_LEVELS } from '@vera-stack/shared/log.ts'
import { otlpSettings } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { group, type SettingsOf, setting } from '@vera-stack/shared/settings.ts'
import { labelProblem } from '../common/labels.ts'
import { httpsSettings } from './https-settings.ts'
import { limitSettings } from './limit-settings.ts'
import { networkProblem, originProblem, peerProblem } from './value-problems.ts'

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
    dashboardOrigins: setting.list({
      since: '0.2.0',
      default: [],
      item: 'origin',
      check: originProblem,
      help: 'Origins of pages that may embed elements of the dashboard, such as https://app.example.com',
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

  ...httpsSettings,

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

  ...limitSettings,

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
