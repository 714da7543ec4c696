// Provides a path to the socket folder of the embedded Postgres that is short enough for a socket.

import { open } from 'node:fs/promises'
import { StartupError } from '../../common/startup-error.ts'

/** `sun_path` holds 104 bytes on macOS, 108 on Linux; the socket's own name and a NUL need some of them. */
const MAX_SOCKET_FOLDER_BYTES = 103 - '/.s.PGSQL.5432'.length

export interface SocketFolder {
  /** Valid in this process only: when the real path is too long, this path uses a folder that this process holds open. */
  readonly path: string
  close(): Promise<void>
}

/** `data`: the cluster's folder, which must exist. */
export async function openSocketFolder(data: string): Promise<SocketFolder> {
  if (Buffer.byteLength(data) <= MAX_SOCKET_FOLDER_BYTES) {
    return { path: data, close: () => Promise.resolve() }
  }
  if (process.platform !== 'linux') {
    throw new StartupError(`The path of the data folder is too long for a socket: ${data}`)
  }
  const handle = await open(data, 'r')
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() }
}
