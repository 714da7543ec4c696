// The facts about services and routes for `plugboard doctor`, from the table of this replica.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { HostsWithoutCertificate } from '../../doctor/checks/certificate-checks.ts'
import type { DownProcess, RouteFaults } from '../../doctor/checks/service-checks.ts'
import { outageText } from '../../registry/line-outage.ts'
import type { Directory, DirectoryRoute } from '../../routes/directory.ts'
import type { ServiceLines } from '../../telephones/lines/service-lines.ts'

/** Routes that are read: with more of them, one run would hold the CPU for too long. */
const MAX_ROUTES = 100_000
/** Routes per turn of the event loop. */
const ROUTES_PER_TURN = 2_000
/** Faulty rows that are kept for the text and its number. */
const MAX_FAULTS = 1000

/** Returns the lines that are down, of services that other lines serve. A service without any usable line is an outage. */
export function downProcesses(
  directory: Pick<Directory, 'services'>,
  lines: Pick<ServiceLines, 'linesOf' | 'isServed'>,
): readonly DownProcess[] {
  const down: DownProcess[] = []
  for (const service of directory.services()) {
    if (!lines.isServed(service)) continue
    for (const line of lines.linesOf(service)) {
      if (line.health !== 'down') continue
      down.push({ service: service.name, telephone: line.telephone, detail: outageText([line]) })
      if (down.length >= MAX_FAULTS) return down
    }
  }
  return down
}

export async function routeFaults(directory: Pick<Directory, 'routes' | 'routeCount'>): Promise<RouteFaults> {
  const withoutService: string[] = []
  const unusable: string[] = []
  let checked = 0
  for (const route of directory.routes()) {
    if (isUnusable(route)) unusable.push(route.mount)
    else if (leadsNowhere(route)) withoutService.push(route.mount)
    checked += 1
    if (checked >= MAX_ROUTES || withoutService.length + unusable.length >= MAX_FAULTS) break
    if (checked % ROUTES_PER_TURN === 0) await nextTurn()
  }
  return { withoutService, unusable, checked, total: directory.routeCount }
}

/** Returns the hosts and wildcards of routes for which `covers` is false. The host `*` has no certificate of its own. */
export async function hostsWithoutCertificate(
  directory: Pick<Directory, 'routes'>,
  covers: (host: string) => boolean,
): Promise<HostsWithoutCertificate> {
  const hosts = new Set<string>()
  const seen = new Set<string>()
  let read = 0
  for (const { host } of directory.routes()) {
    read += 1
    if (host !== '*' && !seen.has(host)) {
      seen.add(host)
      if (!covers(host)) hosts.add(host)
    }
    if (read >= MAX_ROUTES || hosts.size >= MAX_FAULTS) break
    if (read % ROUTES_PER_TURN === 0) await nextTurn()
  }
  return { hosts: [...hosts], checked: seen.size }
}

const isUnusable = ({ options }: DirectoryRoute): boolean =>
  options.rules?.unusable !== undefined && options.rules.unusable.length > 0

/** True when the route has no service, and no response of its own. */
function leadsNowhere({ service, options: { rules } }: DirectoryRoute): boolean {
  return service.name === '' && rules?.redirect === undefined && rules?.respond === undefined
}
