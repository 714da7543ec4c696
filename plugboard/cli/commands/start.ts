// `plugboard start`: runs a replica in the foreground until SIGTERM or SIGINT. A second signal ends the process at once.

import { createLog, type Log } from '@vera-stack/shared/log.ts'
import { addOptions, type SettingProblem } from '@vera-stack/shared/settings.ts'
import type { Command } from 'commander'
import {
  loadPlugboardConfig,
  type PlugboardConfig,
  plugboardSettings,
  VARIABLE_PREFIX,
} from '../../config.ts'
import { nodeVersionProblem } from '../../node-version.ts'
import { Plugboard } from '../../replica/plugboard.ts'
import type { CliContext } from '../api/api-command.ts'
import { examples } from '../api/api-command.ts'
import { PhaseStatus } from '../output/phase-status.ts'
import { untilStopped } from '../until-stopped.ts'

export function defineStart(command: Command, context: CliContext): void {
  addOptions(command, plugboardSettings, VARIABLE_PREFIX)
  command.action(async (given: Readonly<Record<string, unknown>>, self: Command) => {
    const { json = false } = self.optsWithGlobals<{ json?: boolean }>()
    const flags = json ? { ...given, logFormat: 'json' } : given
    const loaded = loadPlugboardConfig({ flags, env: context.env, cwd: context.cwd })
    const { values: config, sources, warnings } = loaded
    const log = logOf(config)
    logWarnings(log, warnings)
    warnOfNode(log)
    const status = new PhaseStatus(context, log)
    try {
      await untilStopped(log, async signal => {
        const plugboard = await Plugboard.start({ config, sources, log, signal })
        status.phase = () => plugboard.phase
        log.info('ready', { url: plugboard.publicUrl, port: plugboard.adminPort })
        return plugboard
      })
    } finally {
      await status.close()
      await log.close()
    }
  })
  examples(
    command,
    'start --database-url postgres://plugboard@db.internal/plugboard',
    'start --config plugboard.yaml --log-format json',
  )
}

export function logOf(config: PlugboardConfig): Log {
  const { logLevel: level, logFormat, accessLog, accessLogFormat: accessFormat, name } = config
  const format = logFormat === 'auto' ? (process.stdout.isTTY ? 'text' : 'json') : logFormat
  return createLog({
    level,
    format,
    accessLog,
    ...(accessFormat !== undefined && { accessFormat }),
    ...(format === 'json' || accessFormat === 'ecs' ? { fields: { replicaId: name } } : {}),
  })
}

/** Logs a warning about an old version of Node. The start continues, because Plugboard may still work. */
export function warnOfNode(log: Log): void {
  const problem = nodeVersionProblem(process.versions.node)
  if (problem !== undefined) log.warn('this version of Node is too old', { detail: problem })
}

/** Logs a warning for each file with a secret that other users can read. The start continues. */
export function logWarnings(log: Log, warnings: readonly SettingProblem[]): void {
  for (const { source, detail } of warnings) {
    log.warn('a file with a secret is open to other users of this machine', {
      detail: `${source}: ${detail}`,
    })
  }
}
