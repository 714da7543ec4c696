// The check of `publicUrl`: a request through this URL must come back to this Plugboard. It finds DNS names, load balancers and
// certificates that lead elsewhere. The request goes to a path that Plugboard itself responds to, so it never reaches a backend and
// cannot loop. It has no credential, and follows no redirect. The URL is the setting, never a value of a request.

import { INSTANCE_PATH } from '@vera-stack/shared/mounts.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { errorCodeOf } from '../../common/startup-error.ts'
import { type Finding, failed, ok, unknown, warning } from '../finding.ts'

export interface PublicUrlOptions {
  readonly publicUrl: string | undefined
  /** The names of this Plugboard, see `proxy/edge/via.ts`. All replicas of a cluster have the same ones. */
  readonly names: readonly string[]
  /** Node's `fetch`, or the one of a test. */
  readonly send?: (url: URL, init: RequestInit) => Promise<Response>
}

const TIMEOUT_MS = 5_000
const MAX_BODY_BYTES = 4_096
const REMEDY =
  'Point the DNS name and the load balancer of publicUrl at the public port of this Plugboard, for all paths, or correct publicUrl (PLUGBOARD_PUBLIC_URL).'

export async function checkPublicUrl({ publicUrl, names, send = fetch }: PublicUrlOptions): Promise<Finding> {
  if (publicUrl === undefined) {
    return unknown(
      'publicUrl is not set, so telephones get a URL of localhost.',
      'Set publicUrl (PLUGBOARD_PUBLIC_URL) to the URL at which clients reach this Plugboard.',
    )
  }
  const url = new URL(INSTANCE_PATH, publicUrl)
  // Both may be in a URL, and are secrets.
  url.username = ''
  url.password = ''
  const shown = url.origin
  try {
    const response = await send(url, {
      redirect: 'manual',
      headers: { accept: 'application/json', 'user-agent': 'plugboard-doctor' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await boundedText(response)
    return findingOf(response, text, { shown, names })
  } catch (error) {
    return failureOf(error, shown)
  }
}

function findingOf(
  { status, headers }: Response,
  text: string,
  { shown, names }: { readonly shown: string; readonly names: readonly string[] },
): Finding {
  const location = headers.get('location')
  if (status >= 300 && status < 400 && location !== null) {
    return failed(
      `publicUrl ${shown} redirects to ${cutText(location)}.`,
      'Set publicUrl (PLUGBOARD_PUBLIC_URL) to the URL behind the redirect.',
    )
  }
  const instance = status === 200 ? instanceIn(text) : undefined
  if (instance !== undefined && names.includes(instance))
    return ok(`publicUrl ${shown} leads to this Plugboard.`)
  if (instance !== undefined) {
    return failed(
      `Another Plugboard responds at publicUrl ${shown}: its instance is ${instance}, and this one is ${names[0]}.`,
      `${REMEDY} Replicas of one cluster need the same clusterSecret.`,
    )
  }
  if (headers.has('plugboard-error')) {
    return warning(
      `A Plugboard responds at publicUrl ${shown} with ${status}, and does not name its instance. It is older than 0.2.0, or this is its admin port.`,
      `Update all replicas. ${REMEDY}`,
    )
  }
  const server = headers.get('server')
  const name = server === null ? '' : ` (${cutText(server)})`
  return failed(`Another server${name} responds at publicUrl ${shown} with ${status}.`, REMEDY)
}

function instanceIn(text: string): string | undefined {
  try {
    const { instance } = JSON.parse(text) as { instance?: unknown }
    return typeof instance === 'string' && /^plugboard-[0-9a-f]{1,64}$/.test(instance) ? instance : undefined
  } catch {
    return undefined // not the JSON of a Plugboard
  }
}

async function boundedText(response: Response): Promise<string> {
  let text = ''
  if (response.body === null) return text
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    // Leaving the loop cancels the rest of the body.
    if (text.length > MAX_BODY_BYTES) break
  }
  return text
}

function failureOf(error: unknown, shown: string): Finding {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = errorCodeOf(cause)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return failed(
      `The DNS name of publicUrl ${shown} cannot be resolved (${code}).`,
      'Create the DNS record, or correct publicUrl (PLUGBOARD_PUBLIC_URL).',
    )
  }
  if (code === 'ECONNREFUSED') return failed(`publicUrl ${shown} refuses connections.`, REMEDY)
  if (error instanceof Error && error.name === 'TimeoutError') {
    return unknown(
      `publicUrl ${shown} sent no response to this machine within ${TIMEOUT_MS / 1000} s. Some routers drop connections from inside to their outside address.`,
      `Run "curl -i ${shown}${INSTANCE_PATH}" on a machine outside.`,
    )
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (code !== undefined && /CERT|SIGNED|TLS|SSL|ISSUER/.test(code)) {
    return failed(
      `The TLS handshake with publicUrl ${shown} failed (${code}): ${cutText(reason)}.`,
      'Correct the certificate of this name. Telephones refuse it, too.',
    )
  }
  return failed(`The request to publicUrl ${shown} failed: ${cutText(reason)}.`, REMEDY)
}
