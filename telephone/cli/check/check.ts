// `telephone check`: checks each step from the settings to a working service, and prints one line for each. It has no effect on
// other Telephones: it announces no service, and connects under a random name.

import { randomBytes, randomUUID } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { decodeClaims, grantsNothing, TOKEN_ISSUER } from '@vera-stack/shared/claims.ts'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { formatMount, mountScopeCovers, parseMount, serviceScopeCovers } from '@vera-stack/shared/mounts.ts'
import { targetText } from '@vera-stack/shared/net/backend-target.ts'
import { Session } from '@vera-stack/shared/protocol/session.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { coverageText, scopeRemedy } from '@vera-stack/shared/scope-remedy.ts'
import type { SettingProblem } from '@vera-stack/shared/settings.ts'
import type { BackendFailure } from '../../backend/backend-failure.ts'
import { REFUSED } from '../../backend/forward/backend.ts'
import type { Service } from '../../options/service-options.ts'
import type { TelephoneOptions } from '../../telephone.ts'
import { dial } from '../../tunnel/dial.ts'
import { displayUrl, tunnelUrl } from '../../tunnel/plugboard-url.ts'
import { TokenError, TokenStore } from '../../tunnel/token-store.ts'
import { VERSION } from '../../version.ts'
import type { Terminal } from '../output/terminal.ts'
import { type Mark, marked, roughly } from '../output/words.ts'
import { checkClock } from './check-clock.ts'
import { probeBackend } from './probe-backend.ts'

type Print = (mark: Mark, text: string) => void

interface CheckFinding {
  readonly ok: boolean
  readonly text: string
}

/** Resolves with true when each step succeeded. `json`: writes one object at the end instead of a line for each step. */
export async function check(
  options: TelephoneOptions,
  terminal: Terminal,
  warnings: readonly SettingProblem[],
  json: boolean,
): Promise<boolean> {
  const findings: CheckFinding[] = []
  const print: Print = (mark, text) => {
    findings.push({ ok: mark !== 'bad', text })
    if (!json) terminal.out(`${marked(mark, text, terminal.colours)}\n`)
  }
  await runSteps(options, warnings, print)
  const ok = findings.every(finding => finding.ok)
  if (json) terminal.out(`${JSON.stringify({ ok, findings }, null, 2)}\n`)
  return ok
}

async function runSteps(
  options: TelephoneOptions,
  warnings: readonly SettingProblem[],
  print: Print,
): Promise<void> {
  print('good', `settings: ${options.services.map(service => service.service).join(', ')}`)
  for (const { source, detail } of warnings) print('warn', `${source}: ${detail}`)
  const token = checkToken(options, print)
  for (const plugboard of options.plugboards) {
    const url = tunnelUrl(plugboard)
    if ((await checkName(url, print)) && token !== undefined) await checkPlugboard(url, token, options, print)
  }
  for (const service of options.services) await checkBackend(service, print)
}

function checkToken(options: TelephoneOptions, print: Print): string | undefined {
  let token: string
  try {
    token = new TokenStore(options.token).read()
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    print('bad', error.message)
    return undefined
  }
  const claims = decodeClaims(token)
  if (claims === undefined) {
    print('bad', 'token: it is not the JWT of a telephone. Issue one with "plugboard token issue"')
    return token
  }
  const left = claims.exp * 1000 - Date.now()
  if (left <= 0)
    print('bad', `token: it expired ${roughly(-left)} ago. Issue a new one with "plugboard token issue"`)
  else print('good', `token: issued to "${claims.sub}", valid for ${roughly(left)}`)
  if (grantsNothing(claims)) print('bad', 'token: it covers no service and no mount')
  const { iss: issuer, sub: subject, services, mounts } = claims
  const scope = { issuer: issuer === TOKEN_ISSUER ? undefined : issuer, subject, services, mounts }
  for (const { service, mount } of options.services) {
    const place = mount === undefined ? undefined : parseMount(mount)
    const needed = { service, mount: place?.ok ? formatMount(place.value) : undefined }
    if (place?.ok && !claims.mounts.some(scope => mountScopeCovers(scope, place.value))) {
      print(
        'bad',
        `token: it does not cover mount ${mount} (${coverageText(claims.mounts)}). ${scopeRemedy(needed, scope)}`,
      )
    } else if (place === undefined && !claims.services.some(scope => serviceScopeCovers(scope, service))) {
      print(
        'bad',
        `token: it does not cover service "${service}" (${coverageText(claims.services)}). ${scopeRemedy(needed, scope)}`,
      )
    }
  }
  return token
}

async function checkName(url: URL, print: Print): Promise<boolean> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  try {
    const found = await lookup(host, { all: true })
    print('good', `${host}: ${found.map(({ address }) => address).join(', ')}`)
    return true
  } catch (error) {
    print('bad', `${host}: the DNS lookup failed (${(error as NodeJS.ErrnoException).code})`)
    return false
  }
}

/** Checks the connection, TLS, the handshake, the hello of Plugboard, and a transfer through the tunnel and back. */
function checkPlugboard(url: URL, token: string, options: TelephoneOptions, print: Print): Promise<void> {
  const { dialTimeoutMs: timeoutMs = 10_000, plugboardCa: tlsCa, env = process.env } = options
  const agent = `telephone/${VERSION}`
  const startedAt = performance.now()
  const name = displayUrl(url)
  return new Promise(resolve => {
    dial(
      { url, token, agent, clock: systemClock, timeoutMs, tlsCa, env },
      {
        onFailure(error) {
          print('bad', `${name}: ${error.message}`)
          resolve()
        },
        onOpen(transport, plugboardTimeMs) {
          let greeted = false
          const receivedAtMs = Date.now()
          const session: Session = new Session({
            transport,
            role: 'dialer',
            identity: { agent, instance: randomUUID(), name: `check-${randomUUID()}`, startedAt: Date.now() },
            events: {
              onReady(peer) {
                greeted = true
                const ms = Math.round(performance.now() - startedAt)
                print('good', `${name}: replica ${peer.name}, ${peer.agent}, connected in ${ms} ms`)
                checkClock(plugboardTimeMs, receivedAtMs, print)
                echo(session, timeoutMs, print)
              },
              onStream(stream) {
                stream.reset('refused')
                return REFUSED
              },
              onControl: () => undefined,
              onPeerDrain: () => undefined,
              onClose(error: TunnelError) {
                if (!greeted) print('bad', `${name}: connected, but ${error.message}`)
                resolve()
              },
            },
          })
        },
      },
    )
  })
}

const ECHO_BYTES = 100_000

/** Sends bytes through the tunnel and back, then closes the session. */
function echo(session: Session, timeoutMs: number, print: Print): void {
  const startedAt = performance.now()
  let bytes = 0
  const opening: Opening = { kind: 'echo', hops: 0, service: '', method: '', target: '', fields: [] }
  const stream = session.open(
    opening,
    {
      onHead: () => undefined,
      onData(chunk) {
        bytes += chunk.length
        stream.consume(chunk.length)
      },
      onEnd() {
        clearTimeout(timer)
        const ms = Math.round(performance.now() - startedAt)
        if (bytes === ECHO_BYTES)
          print('good', `data: ${ECHO_BYTES} bytes through the tunnel and back in ${ms} ms`)
        else print('bad', `data: only ${bytes} of ${ECHO_BYTES} bytes came back through the tunnel`)
        session.close('going_away', 'check')
      },
      onWritable: () => undefined,
      onAbort(error) {
        clearTimeout(timer)
        print('bad', `data: the transfer through the tunnel failed: ${error.message}`)
        session.close('going_away', 'check')
      },
    },
    false,
  )
  const timer = setTimeout(() => {
    stream.reset('cancelled')
    print('bad', `data: the tunnel did not return the data within ${timeoutMs} ms`)
    session.close('going_away', 'check')
  }, timeoutMs)
  stream.write(randomBytes(ECHO_BYTES))
  stream.end()
}

async function checkBackend(service: Service, print: Print): Promise<void> {
  if (typeof service.target === 'function') return
  const failure = await probeBackend(service)
  const backend = `backend ${targetText(service.target)}`
  if (failure === undefined) print('good', `${service.service}: ${backend}`)
  else print('bad', `${service.service}: ${failureText(backend, failure)} ${failure.remedy}`)
}

/** Returns the text of a failure. It adds the backend to a failed health check, whose detail does not name it. */
function failureText(backend: string, { cause, detail }: BackendFailure): string {
  return cause === 'health_check_failed' ? `${backend} fails its health check: ${detail}.` : detail
}
