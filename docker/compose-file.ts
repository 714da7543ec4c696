// Reads the parts of a compose file that ours use, for tests that compare it with the product and perform the steps of Docker
// themselves.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'

export interface ComposeService {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly entrypoint?: string[]
  readonly command?: string[]
  readonly environment?: Record<string, string>
  readonly depends_on?: Record<string, { readonly condition: string }>
  readonly ports?: string[]
  readonly volumes?: string[]
  readonly networks?: string[]
  readonly stop_grace_period?: string
}

interface ComposeNetwork {
  readonly ipam?: { readonly config: { readonly subnet: string }[] }
}

export interface Compose {
  readonly services: Record<string, ComposeService>
  readonly volumes: Record<string, null>
  readonly networks?: Record<string, ComposeNetwork | null>
}

/** `name`: the name of a file beside this one. */
export async function readCompose(name: string): Promise<Compose> {
  return parse(await readFile(join(import.meta.dirname, name), 'utf8'), { merge: true }) as Compose
}

/** Replaces `${NAME:-default}` by the default, as Compose does when the variable is not set. */
export function withDefaults(environment: Record<string, string> = {}): Record<string, string> {
  const filled = (text: string) => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(String(value))]))
}
