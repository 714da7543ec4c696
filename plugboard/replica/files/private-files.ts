// Removes the access of other users of the machine to the private files of the data folder. It runs at each start, before a
// file is read, because an unpacked backup or a copy by hand may have other modes. Each correction is logged, because other
// users may have read or changed the secret before.

import { constants } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@vera-stack/shared/log.ts'
import { OTHERS_WRITE, secretFileProblem, secretModeProblem } from '@vera-stack/shared/process/secret-file.ts'
import { errorCodeOf, folderError } from '../../common/startup-error.ts'

/** The private folders. Postgres refuses to start when other users can access `cluster`. */
const FOLDERS = ['secrets', 'certificates', 'postgres/cluster']
const FILES = ['snapshot.json', 'postgres/password']

/** Corrects the modes of the private files. Logs a mode that cannot be corrected, and does not reject because of it. */
export async function closePrivateFiles(data: string, log: Logger): Promise<void> {
  await warnOfWritableFolder(data, log)
  const secrets = await namesIn(join(data, 'secrets'))
  for (const name of FOLDERS) await close(join(data, name), 0o700, log)
  for (const name of [...FILES, ...secrets.map(each => `secrets/${each}`)]) {
    await close(join(data, name), 0o600, log)
  }
}

/** Warns when other users could replace files in the folder. Keeps its mode, because a volume may have it on purpose. */
async function warnOfWritableFolder(data: string, log: Logger): Promise<void> {
  const { mode } = await stat(data).catch((error: unknown) => {
    if (errorCodeOf(error) === 'ENOENT') return { mode: 0 }
    throw folderError(data, error)
  })
  if ((mode & OTHERS_WRITE) === 0) return
  log.warn('other users of this machine can change the data folder', {
    file: data,
    detail: secretModeProblem(data, mode),
  })
}

async function close(path: string, mode: number, log: Logger): Promise<void> {
  try {
    // A link is not followed, because its target may be a file of another program.
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const detail = secretModeProblem(path, (await handle.stat()).mode)
      if (detail === undefined) return
      const code = await handle.chmod(mode).then(() => undefined, errorCodeOf)
      if (code === undefined) {
        const advice = `${detail} This has been done. Replace the secret if others may have read or changed it.`
        log.warn('a private file was open to other users of this machine', { file: path, detail: advice })
      } else log.warn('a private file is open to other users of this machine', { file: path, code, detail })
    } finally {
      await handle.close()
    }
  } catch (error) {
    const code = errorCodeOf(error)
    if (code === 'ELOOP') {
      const detail = secretFileProblem(path)
      if (detail !== undefined)
        log.warn('a private file is open to other users of this machine', { file: path, detail })
    } else if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      log.warn('the mode of a private file could not be checked', { file: path, err: error })
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    const code = errorCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw folderError(folder, error)
  }
}
