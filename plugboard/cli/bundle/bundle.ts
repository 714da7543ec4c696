// The bundle: services and routes as a file. `plugboard export` writes it and `plugboard import` reads it. A bundle has no ids,
// versions and times. So it can be imported into any Plugboard, and two bundles can be compared with diff.

import { formatMount, parseMount } from '@vera-stack/shared/mounts.ts'
import { recordOf } from '@vera-stack/shared/schema/record-of.ts'
import { parseSettingsFile } from '@vera-stack/shared/settings/file.ts'
import { SettingsError } from '@vera-stack/shared/settings/source.ts'
import { setting } from '@vera-stack/shared/settings.ts'
import { stringify } from 'yaml'
import { z } from 'zod'
import type { RouteBody, ServiceBody } from '../../admin/api-types.ts'
import { renamedOptionProblem } from '../../common/renamed-options.ts'

const jsonObject = recordOf(z.string(), z.unknown())
// The server checks the forms of names and mounts, and the keys of a policy.
const servicesSchema = z.array(z.strictObject({ name: z.string(), policy: jsonObject.default({}) }))
const routesSchema = z.array(
  z
    .strictObject({
      mount: z.string(),
      service: z.string().nullable().default(null),
      options: jsonObject.default({}),
    })
    .superRefine(({ service, options }, context) => {
      const found = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
      const keys = Object.keys(options)
      const renamed = keys.filter(key => renamedOptionProblem(key) !== undefined)
      for (const key of renamed) found(['options', key], renamedOptionProblem(key)!)
      if (service !== null || renamed.length > 0 || keys.includes('redirect') || keys.includes('respond'))
        return
      found(['service'], 'is required, unless the route has the option "redirect" or "respond"')
    }),
)

export interface Bundle {
  readonly services: z.infer<typeof servicesSchema>
  readonly routes: z.infer<typeof routesSchema>
}

const BUNDLE_VERSION = 1
const table = {
  version: setting.integer({
    required: true,
    min: BUNDLE_VERSION,
    max: BUNDLE_VERSION,
    help: 'of the format',
  }),
  services: setting.structure(servicesSchema, { help: 'services' }),
  routes: setting.structure(routesSchema, { help: 'routes' }),
}

export function bundleOf(services: readonly ServiceBody[], routes: readonly RouteBody[]): Bundle {
  return {
    services: services.map(({ name, policy: { inspect: _temporary, ...policy } }) => ({ name, policy })),
    routes: routes.map(({ mount, service, options }) => ({ mount, service, options: { ...options } })),
  }
}

export function formatBundle(bundle: Bundle, format: 'json' | 'yaml'): string {
  const lean = {
    version: BUNDLE_VERSION,
    services: bundle.services.map(({ name, policy }) => ({ name, ...unlessEmpty('policy', policy) })),
    routes: bundle.routes.map(({ mount, service, options }) => ({
      mount,
      ...(service === null ? {} : { service }),
      ...unlessEmpty('options', options),
    })),
  }
  return format === 'json' ? `${JSON.stringify(lean, null, 2)}\n` : stringify(lean)
}

const unlessEmpty = (key: string, value: object) => (Object.keys(value).length === 0 ? {} : { [key]: value })

/** Parses YAML or JSON. `path` names the file in problems. Throws SettingsError with each problem and its line. */
export function parseBundle(text: string, path: string): Bundle {
  return parseJsonBundle(text) ?? parseYamlBundle(text, path)
}

/** Parses JSON, which takes a twentieth of the time of YAML. Undefined: the text has a problem, or is YAML. */
function parseJsonBundle(text: string): Bundle | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const parsed = z
    .strictObject({
      version: z.literal(BUNDLE_VERSION),
      services: servicesSchema.default([]),
      routes: routesSchema.default([]),
    })
    .safeParse(value)
  return parsed.success && twins(parsed.data).length === 0 ? parsed.data : undefined
}

function parseYamlBundle(text: string, path: string): Bundle {
  const { candidates, problems } = parseSettingsFile(table, text, path, '.')
  const found = new Map(candidates.map(candidate => [candidate.key, candidate]))
  const all = [...problems]
  const version = found.get('version')
  if (version !== undefined) {
    const parsed = table.version.kind.parse(version.raw, '.')
    if (!parsed.ok) all.push({ source: version.source.label, detail: `version: ${parsed.problem}` })
  } else if (problems.length === 0) {
    all.push({ source: path, detail: `"version: ${BUNDLE_VERSION}" is missing` })
  }
  const services = servicesSchema.parse(found.get('services')?.raw ?? [])
  const routes = routesSchema.parse(found.get('routes')?.raw ?? [])
  for (const twin of twins({ services, routes })) {
    all.push({ source: path, detail: `${twin} is listed twice: remove one of them` })
  }
  if (all.length > 0) throw new SettingsError(all)
  return { services, routes }
}

/** Returns the mount in normal form. A text that is not a mount stays unchanged, because the server reports the problem. */
function normalMount(mount: string): string {
  const parsed = parseMount(mount)
  return parsed.ok ? formatMount(parsed.value) : mount
}

/** Returns the services and routes that are listed twice. */
function twins({ services, routes }: Bundle): string[] {
  const seen = new Set<string>()
  const all = [
    ...services.map(({ name }) => `service ${name}`),
    ...routes.map(({ mount }) => `route ${normalMount(mount)}`),
  ]
  return [...new Set(all.filter(text => seen.has(text) || !seen.add(text)))]
}
