// The log: JSON lines for a machine, readable lines for a person. A line has a constant message and fields of one typed list.
// Each program creates one log and passes it to its parts. Access lines bypass pino, because they are on the hot path. Fields
// are bounded and redacted before they are formatted (log/safe-fields.ts).

import { type LevelWithSilent, type Logger as Pino, pino } from 'pino'
import { type AccessLogFormat, combinedLine, ecsLine } from './log/access-formats.ts'
import { AccessJson, type AccessLevel } from './log/access-json.ts'
import type { AccessFields, LogFields } from './log/fields.ts'
import { readable } from './log/readable.ts'
import { safeAccessFields, safeFields, safeText } from './log/safe-fields.ts'
import { FileSink, type LineSink } from './log/sink.ts'
import { coloursWanted } from './text/colours.ts'

export { ACCESS_LOG_FORMATS, type AccessLogFormat } from './log/access-formats.ts'
export type { AccessFields, LogFields } from './log/fields.ts'
export type { LineSink } from './log/sink.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
/** Former names of levels, which settings still accept. */
export const LOG_LEVEL_ALIASES = { trace: 'debug' } as const
export type LogFormat = 'json' | 'text'

/** A message is constant text; variable data is in the fields. `error` means that a human must act. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** True when lines of this level are written. Check it before computing costly fields. */
  enabled(level: Exclude<LogLevel, 'silent'>): boolean
  /** Returns a log that adds `fields` to every line. */
  child(fields: LogFields): Logger
}

export interface Log extends Logger {
  /**
   * Writes one line per finished request, at WARN when a fault behind the client caused its failure. Lines are written in
   * batches. When the reader of the log stalls, lines are dropped and counted. One line costs about a microsecond.
   */
  access(fields: AccessFields): void
  /** Resolves when all lines are written, or after two seconds when the reader of the log stalls. */
  close(): Promise<void>
}

export interface LogOptions {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Fields of every line, such as `replicaId`. */
  readonly fields?: LogFields
  /** Default: the standard output. `close` flushes first. */
  readonly sink?: LineSink & { close?(): Promise<void> }
  /** Default: true on a terminal, unless NO_COLOR is set (colours.ts). */
  readonly colours?: boolean
  /** Default true. When false, `access` does nothing. */
  readonly accessLog?: boolean
  /** The format of access lines. Default: `format`. */
  readonly accessFormat?: AccessLogFormat
  /** Returns milliseconds since 1970. */
  readonly wallTime?: () => number
}

export function createLog(options: LogOptions): Log {
  const { level, format, fields = {}, accessLog = true, wallTime = Date.now } = options
  const { accessFormat = format } = options
  const colours = options.colours ?? coloursWanted(process.env, process.stdout.isTTY === true)
  const render = (line: string, as: LogFormat = format): string =>
    as === 'json' ? line : readable(JSON.parse(line) as Record<string, unknown>, colours)
  const timestamp = (): string => `,"time":"${new Date(wallTime()).toISOString()}"`
  const droppedLine = (count: number): string =>
    render(`{"level":"warn"${timestamp()},"msg":"log lines dropped","count":${count}}\n`)
  const sink = options.sink ?? new FileSink({ onDropped: droppedLine })

  const root = pino(
    {
      level: level satisfies LevelWithSilent,
      base: null,
      timestamp,
      formatters: { level: label => ({ level: label }) },
      // `safeFields` has already converted the error. pino must not serialize it a second time.
      serializers: { err: (error: unknown) => error },
    },
    { write: (line: string) => sink.write(render(line), true) },
  )
  const base = safeFields(fields)
  const accessJson = new AccessJson(base)
  const writeJson = (record: AccessFields, level: AccessLevel): void => {
    const timeMs = wallTime()
    if (sink.openLine !== undefined) {
      const line = sink.openLine()
      // The sink takes no line now, and has counted this one.
      if (line === undefined) return
      accessJson.write(line, record, level, timeMs)
      if (sink.closeLine?.()) return
    }
    sink.write(accessJson.text(record, level, timeMs), false)
  }
  return Object.assign(wrap(Object.keys(base).length === 0 ? root : root.child(base)), {
    access(record: AccessFields): void {
      if (!accessLog) return
      const safe = safeAccessFields(record)
      const level = isFailure(record) ? 'warn' : 'info'
      if (accessFormat === 'json') writeJson(safe, level)
      else if (accessFormat === 'combined') sink.write(combinedLine(safe, wallTime()), false)
      else if (accessFormat === 'ecs') sink.write(ecsLine(safe, level, wallTime(), fields.replicaId), false)
      else sink.write(render(accessJson.text(safe, level, wallTime()), accessFormat), false)
    },
    close: () => sink.close?.() ?? sink.flush(),
  })
}

/** True for a status of 500 or above, and for a response that a fault behind Plugboard cut. */
function isFailure({ status, cause }: AccessFields): boolean {
  return status >= 500 || (cause !== undefined && status < 400)
}

function wrap(target: Pino): Logger {
  const write =
    (level: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields: LogFields = {}): void => {
      if (target.isLevelEnabled(level)) target[level](safeFields(fields), safeText(message))
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    enabled: level => target.isLevelEnabled(level),
    child: fields => wrap(target.child(safeFields(fields))),
  }
}

const nothing = (): void => undefined

/** Writes no line. For tests, and for applications that use the library without a log. */
export const silentLogger: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  enabled: () => false,
  child: () => silentLogger,
  access: nothing,
  close: () => Promise.resolve(),
}
