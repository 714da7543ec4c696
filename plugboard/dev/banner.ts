// Renders the text that `plugboard dev` prints when it is ready: addresses, files, and the exact next commands.

import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import { VERSION } from '../version.ts'
import type { Reach } from './reachable-addresses.ts'

export interface BannerPlace {
  readonly publicPort: number
  /** The machines that can connect to the public port. */
  readonly reach: Reach
  /** The address of this machine for other machines of its network; set with --lan. */
  readonly networkAddress: string | undefined
  readonly adminPort: number
  /** Path of the dashboard with a one-time link. */
  readonly dashboardPath: string
  /** Full paths, so that the commands work from any folder. */
  readonly data: string
  readonly adminKeyFile: string
  readonly tokenFile: string
  /** The file of the Telephone's program. */
  readonly telephoneProgram: string
}

const DEFAULT_PUBLIC_PORT = 4000
const DEFAULT_ADMIN_PORT = 4001

/** Returns commands that a user can copy and run from any folder. */
export function nextCommands(place: BannerPlace): { what: string; command: string }[] {
  const telephone = [
    ownCommand('telephone', { main: place.telephoneProgram }),
    'http 3000 --mount app.localhost',
    ...(place.publicPort === DEFAULT_PUBLIC_PORT
      ? []
      : ['--plugboard', `http://localhost:${place.publicPort}`]),
    `--token-file ${shellQuoted(place.tokenFile)}`,
  ]
  const admin = `http://127.0.0.1:${place.adminPort}`
  const plugboard = [
    `${ownCommand('plugboard')} route list`,
    ...(place.adminPort === DEFAULT_ADMIN_PORT ? [] : ['--url', admin]),
    `--data ${shellQuoted(place.data)}`,
  ]
  return [
    {
      what: `Expose your web server on port 3000 as http://app.localhost:${place.publicPort}`,
      command: telephone.join(' '),
    },
    { what: 'List the routes', command: plugboard.join(' ') },
    {
      what: 'List the routes through the admin API',
      command: `curl -H "Authorization: Bearer $(cat ${shellQuoted(place.adminKeyFile)})" ${admin}/v1/routes`,
    },
  ]
}

export function banner(place: BannerPlace, expose: string | undefined): string {
  const rows = [
    ['Public', `http://localhost:${place.publicPort}`, `${expose ?? 'the welcome app'}, through a tunnel`],
    ...(place.networkAddress === undefined
      ? []
      : [
          [
            'Network',
            `http://${place.networkAddress}:${place.publicPort}`,
            'the public port, for other machines',
          ],
        ]),
    ['Dashboard', `http://127.0.0.1:${place.adminPort}${place.dashboardPath}`, '(works once)'],
    ['Admin API', `http://127.0.0.1:${place.adminPort}`, 'described at /openapi.json'],
    ['Data', place.data, 'database, secrets, snapshot'],
  ]
  const table = rows.map(([name = '', where = '', what]) => `  ${name.padEnd(11)}${where.padEnd(28)} ${what}`)
  const next = nextCommands(place).map(({ what, command }) => `  ${what}:\n    ${command}`)
  return [
    '',
    `Vera-Stack ${VERSION} is ready.`,
    '',
    ...table,
    '',
    next.join('\n\n'),
    '',
    ...(place.reach === 'machine'
      ? ['Only this machine can connect. With --lan, other machines of the network can connect too.']
      : ['Other machines can connect to the public port.']),
    'Press Ctrl-C to stop it.',
    '',
    '',
  ].join('\n')
}
