// Reports the status of a running process to a command in the same container: `telephone check --container` and `plugboard
// doctor --container`, the health checks of the images. The process listens on an abstract unix socket of Linux. The name of
// the socket holds the PID namespace and the process id. This needs no file, port, credential or setting, so it works with a
// read-only file system, any user id and every way to configure the program (decision 0011).

import { readFileSync, readlinkSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'

export type StatusProgram = 'plugboard' | 'telephone'

export interface LocalStatus {
  /** The state in one word of the program, such as `ready` or `loading`. */
  readonly state: string
  /** One line for a person. */
  readonly detail: string
}

export interface LocalStatusServer {
  close(): Promise<void>
}

/** The response of one process, or the problem with it. */
export type ProcessStatus =
  | { readonly kind: 'responds'; readonly pid: number; readonly status: LocalStatus }
  | { readonly kind: 'fails'; readonly pid: number; readonly problem: string }

export interface LocalStatusOptions {
  readonly program: StatusProgram
  /** Separates independent processes that share a PID namespace. Needed only outside of containers. */
  readonly scope?: string | undefined
}

/** Variable with the scope, for several programs on one machine. Containers do not need it. */
export const SCOPE_VARIABLE = 'VERA_STATUS_SCOPE'

const MAX_CONNECTIONS = 8
const MAX_RESPONSE_BYTES = 4096
const SOCKET_TIMEOUT_MS = 1000
const PREFIX = 'vera-stack'

/**
 * Serves `status` until `close`. Does not keep the process alive. Has no effect on a system other than Linux. Reports a failure
 * to listen to `onProblem`, because the program works without this server.
 */
export function serveLocalStatus(
  options: LocalStatusOptions & {
    readonly status: () => LocalStatus
    readonly onProblem: (error: Error) => void
  },
): LocalStatusServer {
  if (process.platform !== 'linux') return { close: () => Promise.resolve() }
  const server = createServer(socket => {
    socket.setTimeout(SOCKET_TIMEOUT_MS, () => socket.destroy())
    // A client that has closed the connection needs no response.
    socket.on('error', () => socket.destroy())
    socket.resume().end(`${JSON.stringify(options.status())}\n`)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.on('error', options.onProblem)
  server.listen(`\0${prefixOf(options)}/${process.pid}`)
  server.unref()
  return {
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}

/**
 * Returns the status of each process of the program in this PID namespace. The result is empty when no such process runs.
 * Throws an Error with the reason when the sockets of the system cannot be listed.
 */
export function askLocalStatus(
  options: LocalStatusOptions & { readonly timeoutMs: number },
): Promise<ProcessStatus[]> {
  const prefix = `@${prefixOf(options)}/`
  const pids = new Set<number>()
  for (const line of listedSockets().split('\n')) {
    const at = line.indexOf(prefix)
    // An older Node fills the name with zero bytes, which the system shows as @.
    const pid = at === -1 ? undefined : /^(\d{1,10})@*$/.exec(line.slice(at + prefix.length))?.[1]
    if (pid !== undefined) pids.add(Number(pid))
  }
  return Promise.all([...pids].map(pid => ask(`\0${prefixOf(options)}/${pid}`, pid, options.timeoutMs)))
}

function prefixOf({ program, scope }: LocalStatusOptions): string {
  return [PREFIX, program, pidNamespace(), ...(scope === undefined || scope === '' ? [] : [scope])].join('/')
}

/** Returns the PID namespace. Containers that share a network namespace (a pod, the host's) also share the names of sockets. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  } catch {
    // In a sandbox without namespaces, all processes are in one namespace.
    return '0'
  }
}

function listedSockets(): string {
  if (process.platform !== 'linux')
    throw new Error('The processes of a container can be asked on Linux only.')
  try {
    return readFileSync('/proc/net/unix', 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(`The sockets of this system cannot be listed: /proc/net/unix (${code}).`, {
      cause: error,
    })
  }
}

function ask(path: string, pid: number, timeoutMs: number): Promise<ProcessStatus> {
  return new Promise(resolve => {
    let text = ''
    const socket: Socket = createConnection(path)
    const settle = (result: ProcessStatus): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const fail = (problem: string): void => settle({ kind: 'fails', pid, problem })
    const timer = setTimeout(() => fail(`does not respond within ${timeoutMs} ms`), timeoutMs)
    socket.on('error', error => fail((error as NodeJS.ErrnoException).code ?? error.message))
    socket.on('data', chunk => {
      text += chunk.toString()
      if (text.length > MAX_RESPONSE_BYTES) fail('responds with too many bytes')
    })
    socket.on('end', () => {
      const status = readStatus(text)
      if (status === undefined) fail('responds with text that is not a status')
      else settle({ kind: 'responds', pid, status })
    })
  })
}

function readStatus(text: string): LocalStatus | undefined {
  try {
    const { state, detail } = JSON.parse(text) as Record<string, unknown>
    return typeof state === 'string' && typeof detail === 'string' ? { state, detail } : undefined
  } catch {
    // Not JSON, or JSON without fields.
    return undefined
  }
}
