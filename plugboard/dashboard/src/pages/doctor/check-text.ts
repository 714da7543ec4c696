// The texts of a check: the commands in its remedy, the page where it is corrected, and the report of all checks.

import type { DoctorBody } from '../../../../admin/api-types.ts'

/** The page for an area of checks; the more specific ids first. */
const PAGES: readonly (readonly [id: string, path: string, name: string])[] = [
  ['services.routes', '/routes', 'Routes'],
  ['services.telephones', '/services', 'Services'],
  ['services.', '/services', 'Services'],
  ['credentials.adminKeys', '/access?tab=keys', 'API keys'],
  ['credentials.', '/access', 'Tokens'],
  ['replicas.', '/cluster', 'Cluster'],
  ['certificates.', '/cluster', 'Cluster'],
  ['database.replicas', '/cluster', 'Cluster'],
]

/** Undefined: no page of the dashboard corrects the fault. */
export function pageOf(id: string): readonly [path: string, name: string] | undefined {
  const page = PAGES.find(([start]) => id.startsWith(start))
  return page && [page[1], page[2]]
}

/** A remedy quotes its commands. One with a placeholder, such as `<name>`, is not for copying. */
const COMMAND = /"((?:npx --no )?(?:plugboard|telephone|certbot|timedatectl) [^"<>]+)"/g

export function commandsOf(remedy: string | null): string[] {
  return Array.from((remedy ?? '').matchAll(COMMAND), ([, command = '']) => command)
}

/** Returns the report as text. The checks contain no secrets. */
export function reportOf({ replicaId, version, node, checkedAt, items }: DoctorBody): string {
  return [
    `Plugboard ${version}, Node ${node}, replica ${replicaId}, ${checkedAt}`,
    ...items.flatMap(({ state, id, detail, remedy }) => [
      `${state.padEnd(8)} ${id}: ${detail}`,
      ...(remedy === null ? [] : [`         → ${remedy}`]),
    ]),
    '',
  ].join('\n')
}
