// The list of all checks of `plugboard doctor`: the id of each, the fact that it checks, and where it runs. The table in
// docs/operating/doctor.md is generated from it (`npm run docs`).

interface DoctorCheck {
  /** The fact that must be true. */
  readonly checks: string
  /** `server`: the running replica checks it. `local`: the command checks it while no Plugboard responds. */
  readonly runs: 'server' | 'local' | 'both'
}

export const DOCTOR_CHECKS = {
  'process.running': { checks: 'Plugboard runs, and its admin API accepts the API key.', runs: 'both' },
  'configuration.settings': { checks: 'All settings are valid, and no limit was lowered.', runs: 'both' },
  'database.reachable': { checks: 'The database responds within 1 s, and accepts writes.', runs: 'both' },
  'database.version': { checks: 'The database is Postgres 14 or newer.', runs: 'both' },
  'database.migrations': { checks: 'The schema has all migrations of this version.', runs: 'both' },
  'database.clock': {
    checks: 'The clocks of this machine and of the database differ by 1 s or less.',
    runs: 'both',
  },
  'database.connections': {
    checks: 'The database has at least 10 % of its connections free.',
    runs: 'both',
  },
  'database.replicas': { checks: 'Each row of a replica has a fresh heartbeat.', runs: 'both' },
  'machine.ports': { checks: 'The ports of the settings are open, or free before a start.', runs: 'both' },
  'machine.disk': { checks: 'The data folder is writable, and its disk has space.', runs: 'both' },
  'machine.eventLoop': {
    checks: 'The event loop is delayed by 100 ms or less, measured for 1 s.',
    runs: 'server',
  },
  'certificates.expiry': { checks: 'Each certificate is valid for more than 14 days.', runs: 'server' },
  'certificates.hosts': {
    checks: 'Each host of a route has a certificate, or may order one.',
    runs: 'server',
  },
  'publicUrl.instance': {
    checks: 'A request to `publicUrl` reaches this Plugboard, and no other server.',
    runs: 'server',
  },
  'replicas.links': { checks: 'All replicas have links to this one and agree with it.', runs: 'server' },
  'replicas.changes': { checks: 'Each replica has applied the newest changes.', runs: 'server' },
  'services.telephones': {
    checks: 'Each service with a route has a telephone that takes requests.',
    runs: 'server',
  },
  'services.health': { checks: 'No process of a service is down.', runs: 'server' },
  'services.ejections': {
    checks: 'No process is ejected, no subset is stopped, and no circuit breaker is open.',
    runs: 'server',
  },
  'services.routes': {
    checks: 'Each route leads to a service, and this version can read it.',
    runs: 'server',
  },
  'credentials.tokens': { checks: 'No token of a telephone ends within 7 days.', runs: 'server' },
  'credentials.adminKeys': {
    checks: 'An admin key exists in addition to the one in the data folder of this machine.',
    runs: 'server',
  },
  'trustedProxies.fields': { checks: 'Each trusted proxy sends X-Forwarded-* or Forwarded.', runs: 'server' },
} as const satisfies Readonly<Record<string, DoctorCheck>>

export type CheckId = keyof typeof DOCTOR_CHECKS

/** The ids in the order of the list. */
export const CHECK_IDS = Object.keys(DOCTOR_CHECKS) as readonly CheckId[]
