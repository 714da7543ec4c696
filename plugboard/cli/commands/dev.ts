// `plugboard dev`: a complete Vera-Stack on one machine. It starts a replica with the embedded database and new secrets, and a
// Telephone. The Telephone exposes the welcome app, or the target of --expose, on http://localhost. The public port listens on
// loopback; with --lan or the setting `listen`, it listens on other addresses.

import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { addOptions, type ListenAddress } from '@vera-stack/shared/settings.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { loadPlugboardConfig, PRIVATE_NETWORKS, plugboardSettings, VARIABLE_PREFIX } from '../../config.ts'
import { DevStack } from '../../dev/dev-stack.ts'
import { ownPortProblem } from '../../dev/own-port.ts'
import { type CliContext, examples } from '../api/api-command.ts'
import { usageError } from '../cli-error.ts'
import { PhaseStatus } from '../output/phase-status.ts'
import { untilStopped } from '../until-stopped.ts'
import { logOf, logWarnings, warnOfNode } from './start.ts'

interface DevFlags extends Readonly<Record<string, unknown>> {
  readonly expose?: string
  readonly lan?: boolean
  readonly port?: number
  readonly adminPort?: number
}

export function defineDev(command: Command, context: CliContext): void {
  command
    .option(
      '--expose <target>',
      'port, host:port or URL of your web server, instead of the welcome app',
      target,
    )
    .option('--lan', 'listen on all addresses, so that other machines of the network can connect')
    .option('--port <port>', 'public port (default 4000)', port)
    .option('--admin-port <port>', 'admin port (default 4001)', port)
  addOptions(command, plugboardSettings, VARIABLE_PREFIX)
  command.action(async (given: DevFlags, self: Command) => {
    const { expose, lan = false, port: publicPort, adminPort, ...flags } = given
    const { json = false } = self.optsWithGlobals<{ json?: boolean }>()
    const { values, sources, warnings } = loadPlugboardConfig({
      flags: {
        ...flags,
        ...(publicPort === undefined ? {} : { listen: listenText(publicPort, lan) }),
        ...(adminPort === undefined ? {} : { adminListen: `127.0.0.1:${adminPort}` }),
        ...(json && { logFormat: 'json' }),
      },
      env: context.env,
      cwd: context.cwd,
    })
    if (lan && publicPort === undefined && sources.listen.kind !== 'default') {
      const { label } = sources.listen
      throw usageError(
        `--lan listens on all addresses, but "listen" names others (${label}): remove one of them`,
      )
    }
    const listen = sources.listen.kind === 'default' && !lan ? loopback(values.listen) : values.listen
    const problem = expose === undefined ? undefined : ownPortProblem(expose, { ...values, listen })
    if (problem !== undefined) throw usageError(`--expose: ${problem}`)
    // A person reads these logs, so they are text lines, also in a pipe, unless the user has chosen a format.
    const chosen = sources.logFormat.kind !== 'default'
    // A developer may run the token issuer on this machine or in this network, so routes may use private addresses.
    const outbound = sources.outboundNetworks.kind === 'default' ? PRIVATE_NETWORKS : values.outboundNetworks
    const config = {
      ...values,
      listen,
      outboundNetworks: outbound,
      ...(chosen ? {} : { logFormat: 'text' as const }),
    }
    const log = logOf(config)
    logWarnings(log, warnings)
    warnOfNode(log)
    const status = new PhaseStatus(context, log)
    try {
      await untilStopped(log, async signal => {
        const stack = await DevStack.start({ config, sources, log, expose, lan, cwd: context.cwd, signal })
        status.phase = () => stack.phase
        if (json) log.info('ready', { url: stack.publicUrl, port: stack.adminPort })
        else context.terminal.out(stack.banner)
        return stack
      })
    } finally {
      await status.close()
      await log.close()
    }
  })
  examples(
    command,
    'dev',
    'dev --expose 3000',
    'dev --lan',
    'dev --port 4100 --admin-port 4101 --data ./other',
  )
}

const LOOPBACK = ['127.0.0.1', '::1'] as const

function loopback(addresses: readonly ListenAddress[]): readonly ListenAddress[] {
  return addresses.flatMap(({ port }) => LOOPBACK.map(host => ({ host, port })))
}

function listenText(port: number, lan: boolean): string {
  return lan ? `:${port}` : `127.0.0.1:${port},[::1]:${port}`
}

/** Checks the target, and returns it unchanged, because the Telephone parses it again. */
function target(text: string): string {
  try {
    parseTarget(text)
    return text
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

function port(text: string): number {
  const value = Number(text)
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('A port is a number from 0 to 65535.')
}
